// What a verification command demands of an image: the keys on its command line, or what the policies of a file say.

import type { ImageRequirement } from '../../policy/images/image-requirements.ts';
import type { VerificationPolicy } from '../../signing/verify/policy.ts';

type Enforcement = ImageRequirement['enforcement'];

export type Demand = {
  /** Whose demand it is, as in "QuantumSecurityPolicy trading/images, rule 1". */
  readonly name: string;
  /** Only what is enforced decides. */
  readonly enforcement: Enforcement;
} & (
  | { readonly kind: 'verify'; readonly policy: VerificationPolicy }
  /** Without a signature; what is revoked may not run all the same. */
  | { readonly kind: 'allow'; readonly revokedDigests: ReadonlySet<string> }
  | { readonly kind: 'deny'; readonly reason: string }
);

/** The demands on an image of the repository, which is written `registry/path`. All of them must be met. */
export type Demands = (repository: string) => Promise<readonly Demand[]>;

/** The same demand on every image. */
export function fixedDemand(policy: VerificationPolicy): Demands {
  const demand: Demand = { name: 'the command line', enforcement: 'enforce', kind: 'verify', policy };
  return () => Promise.resolve([demand]);
}
