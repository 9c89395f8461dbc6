// What an examination depends on, as a text: equal for policies under which the same bundles count the same, whoever wrote them.

import { createHash } from 'node:crypto';
import {
  type Authority,
  checkPolicy,
  type KeylessVerifier,
  type VerificationPolicy,
} from '../../../signing/verify/policy.ts';

/** @throws SigningError ERR_VERIFICATION_POLICY_INVALID for one that cannot mean anything */
export type FingerprintOf = (policy: VerificationPolicy) => string;

/** What only the conclusion asks for is left out: names, thresholds, notAfter, conditions, revoked digests. */
export function createFingerprints(): FingerprintOf {
  const known = new WeakMap<VerificationPolicy, string>();
  const numbers = new WeakMap<KeylessVerifier, number>();
  let last = 0;

  /** Nothing of it can be read from outside, so that only the same object is known to be equal. */
  function numberOf(keyless: KeylessVerifier): number {
    const number = numbers.get(keyless) ?? ++last;
    numbers.set(keyless, number);
    return number;
  }

  function signersOf({ keysets, keyless }: Authority): unknown {
    return {
      keysets: keysets.map(({ keys }) => keys.map(({ algorithm, spkiSha256 }) => [algorithm, spkiSha256])),
      keyless: keyless === undefined ? null : numberOf(keyless),
    };
  }

  function make(policy: VerificationPolicy): string {
    checkPolicy(policy);
    const { authorities, bindReference, annotations = {}, exactAnnotations = false, ...others } = policy;
    const { attestations, revokedKeys, revokedDigests: _, ...rest } = others;
    // A field that is new must be sorted into one of the two lists.
    rest satisfies Record<keyof typeof rest, never>;
    const content = {
      ...{ bindReference, exactAnnotations },
      annotations: Object.entries(annotations).toSorted(byName),
      authorities: authorities.map(signersOf),
      predicateTypes: [...new Set(attestations.map(({ predicateType }) => predicateType))].toSorted(),
      revokedKeys: [...revokedKeys].toSorted(),
    };
    return createHash('sha256').update(JSON.stringify(content)).digest('base64url');
  }

  return (policy) => {
    const fingerprint = known.get(policy) ?? make(policy);
    known.set(policy, fingerprint);
    return fingerprint;
  };
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
