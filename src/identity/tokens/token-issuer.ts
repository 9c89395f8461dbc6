// Mints tokens. Who asks was settled before; this decides what a token may say.

import type { SigningKey } from '../../crypto/keys.ts';
import { IdentityError } from '../errors.ts';
import { checkId } from '../issuer.ts';
import { maxTokenLifetimeMs } from '../lifetimes.ts';
import { publicJwk } from './jwk.ts';
import { signJws } from './jws.ts';
import { maxAudienceChars, type TokenType } from './types.ts';

export type TokenSigningKeys = Readonly<Record<TokenType, SigningKey>>;

export interface TokenRequest {
  readonly type: TokenType;
  /** Whom the token is for. */
  readonly spiffeId: string;
  /** Whom it is to be shown to: one, because whoever is shown a token can show it to its other audiences (JWT-SVID §6.2). */
  readonly audience: string;
  readonly now: Date;
}

export interface MintedToken {
  /** JWS Compact Serialization (JWT-SVID §5.1). Whoever has it is believed: a secret. */
  readonly token: string;
  readonly expiresAt: Date;
}

export interface TokenIssuer {
  /** @throws IdentityError ERR_SVID_ID_NOT_ALLOWED, ERR_TOKEN_AUDIENCE; CryptoError ERR_SPIFFE_ID_INVALID */
  mint(request: TokenRequest): MintedToken;
}

/**
 * Tokens live for `maxTokenLifetimeMs` and begin in the second they are minted in.
 * @param keys a key for each kind, of the algorithm that types.ts pins it to
 */
export function createTokenIssuer(trustDomain: string, keys: TokenSigningKeys): TokenIssuer {
  const header = (type: TokenType): string => {
    const { alg, kid } = publicJwk(type, keys[type].publicKey);
    return jsonPart({ alg, kid, typ: 'JWT' });
  };
  const headers: Readonly<Record<TokenType, string>> = {
    'ML-DSA': header('ML-DSA'),
    'JWT-SVID': header('JWT-SVID'),
  };
  return {
    mint: ({ type, spiffeId, audience, now }) => {
      checkId(spiffeId, trustDomain);
      checkAudience(audience);
      // RFC 7519 §2, NumericDate.
      const iat = Math.floor(now.getTime() / 1000);
      const exp = iat + maxTokenLifetimeMs / 1000;
      const claims = jsonPart({ sub: spiffeId, aud: [audience], iat, exp });
      const signingInput = `${headers[type]}.${claims}`;
      const signature = signJws(keys[type], signingInput).toString('base64url');
      return { token: `${signingInput}.${signature}`, expiresAt: new Date(exp * 1000) };
    },
  };
}

function jsonPart(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

const control = /\p{Cc}/u;

/**
 * Demands 1 to `maxAudienceChars` UTF-16 units of well-formed text without control characters.
 * @throws IdentityError ERR_TOKEN_AUDIENCE
 */
export function checkAudience(audience: string): void {
  const fits = audience.length > 0 && audience.length <= maxAudienceChars;
  if (fits && audience.isWellFormed() && !control.test(audience)) return;
  throw new IdentityError(
    'ERR_TOKEN_AUDIENCE',
    `an audience is 1 to ${maxAudienceChars} characters without control characters: the SPIFFE ID or the name of whom the token will be shown to`,
  );
}
