// Whether signers have made a claim already, seen as everyone else would see it: through the registry and the verifier.

import { isDeepStrictEqual } from 'node:util';
import type { RegistryClient } from '../../registry/client.ts';
import type { Digest } from '../../registry/digest.ts';
import type { Repository } from '../../registry/reference.ts';
import { signPredicateType } from '../format/statement.ts';
import type { Authority, VerificationPolicy } from '../verify/policy.ts';
import type { AuthorityVerdict, Verdict } from '../verify/verdict.ts';
import type { Verifier } from '../verify/verifier.ts';
import type { Claim } from './payload.ts';
import type { SignRequest } from './sign.ts';

export interface ReadBackOptions {
  readonly verifier: Verifier;
  readonly client: RegistryClient;
  readonly repository: Repository;
  /** The signers. */
  readonly authority: Authority;
  readonly claim: Claim;
  readonly now: () => Date;
}

/** For `sign`: asks the registry each time. */
export function readBack(options: ReadBackOptions): SignRequest['verify'] {
  const { verifier, client, repository, authority, claim, now } = options;
  const { registry, path } = repository;
  const policy = policyFor(authority, claim);
  return async (digest: Digest, signal) => {
    const reference = { registry, path, tag: undefined, digest };
    const verdict = await verifier.verify({ reference, policy, client, now, ...(signal && { signal }) });
    return answer(claim, verdict);
  };
}

function policyFor(
  authority: Authority,
  { predicateType, predicate, annotations }: Claim,
): VerificationPolicy {
  const isSignature = predicateType === signPredicateType;
  const attested = asParsed(predicate);
  const condition = {
    text: 'the predicate that is attested',
    holds: (statement: { readonly predicate: unknown }) =>
      isDeepStrictEqual(statement.predicate, attested) || 'it says something else',
  };
  return {
    authorities: [authority],
    bindReference: 'repository',
    annotations: isSignature ? annotations : {},
    // A signature that says approved=no is not one that says nothing.
    exactAnnotations: true,
    attestations: isSignature ? [] : [{ predicateType, condition }],
    revokedDigests: new Set(),
    revokedKeys: new Set(),
  };
}

/** Without what JSON does not write, such as prototypes and members that are undefined. */
function asParsed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null)) as unknown;
}

/** An attestation counts by itself: whether the image is signed as well was not asked. */
function answer(
  { predicateType }: Claim,
  verdict: Verdict,
): { readonly ok: boolean; readonly reason: string } {
  const authorities: readonly AuthorityVerdict[] =
    predicateType === signPredicateType
      ? verdict.authorities
      : verdict.attestations.flatMap((attestation) => attestation.authorities);
  const missing = authorities.find(({ ok }) => !ok);
  return {
    ok: authorities.length > 0 && missing === undefined,
    reason: missing?.reason ?? 'nothing was found',
  };
}
