// The kinds of token in messages.

import { TokenType as WireType } from '../../gen/proto/trellis/identity/v1/identity_pb.ts';
import { type TokenType, tokenTypes } from './types.ts';

const onWire = {
  'ML-DSA': WireType.ML_DSA,
  'JWT-SVID': WireType.JWT_SVID,
} as const satisfies Record<TokenType, WireType>;

/** Its number in `trellis.identity.v1.TokenType`. */
export function tokenTypeToWire(type: TokenType): WireType {
  return onWire[type];
}

/** Undefined for what is not specified, or not known here. */
export function tokenTypeFromWire(value: WireType): TokenType | undefined {
  return tokenTypes.find((type) => onWire[type] === value);
}
