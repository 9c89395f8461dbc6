// Claims of a token as values of CEL.

import { type CelInput, celList, celMap } from '@bufbuild/cel';
import { maxClaimChars, maxClaimDepth, maxClaimValues } from './limits.ts';

/**
 * JSON, value by value. Given the objects as they are, the library would take one with a `$typeName` for a protobuf message
 * and look for a constructor in the others: a token's author is not who decides what its claims are.
 * @returns undefined for claims that are larger than a condition may be given
 */
export function celClaims(claims: Readonly<Record<string, unknown>>): CelInput | undefined {
  let values = 0;
  let chars = 0;
  const convert = (value: unknown, depth: number): CelInput => {
    values += 1;
    if (values > maxClaimValues || chars > maxClaimChars || depth > maxClaimDepth) throw new TooLarge();
    if (typeof value === 'string') chars += value.length;
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
    if (Array.isArray(value)) return celList(value.map((element) => convert(element, depth + 1)));
    if (typeof value !== 'object' || value === null) return null;
    return celMap(
      new Map(
        Object.entries(value).map(([key, each]) => {
          chars += key.length;
          return [key, convert(each, depth + 1)];
        }),
      ),
    );
  };
  try {
    const converted = convert(claims, 1);
    return chars > maxClaimChars ? undefined : converted;
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}

class TooLarge extends Error {}
