// Claims of a token as values of CEL.

import type { CelInput } from '@bufbuild/cel';
import { celJson, type JsonLimits } from '../../condition/json.ts';
import { maxClaimChars, maxClaimDepth, maxClaimValues } from './limits.ts';

const limits: JsonLimits = {
  values: maxClaimValues,
  depth: maxClaimDepth,
  charsOfText: maxClaimChars,
  chars: maxClaimChars,
};

/** @returns undefined for claims that are larger than a condition may be given */
export function celClaims(claims: Readonly<Record<string, unknown>>): CelInput | undefined {
  const converted = celJson(claims, limits, (number) => number);
  return typeof converted === 'string' ? undefined : converted.value;
}
