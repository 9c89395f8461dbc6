// What must be true of an image before it may run, whoever says so: a policy, or the command line of `trellis verify`.

import type { Policy } from '../../../model/mesh.ts';
import type { ImageRequirement } from '../../../policy/images/image-requirements.ts';
import type { VerificationPolicy } from '../../../signing/verify/policy.ts';

export type Requirement = {
  /** Whose it is, as in "QuantumSecurityPolicy trading/images, rule 1". */
  readonly name: string;
  /** Undefined where it is none's. */
  readonly policy: Policy | undefined;
  /** Only what is enforced decides. */
  readonly enforcement: ImageRequirement['enforcement'];
} & (
  | {
      readonly kind: 'verify';
      /** With its keys. @throws SigningError, PolicyError, and what the sources of keys throw; nothing of that is remembered */
      verificationPolicy(signal: AbortSignal): Promise<VerificationPolicy>;
      /** Sentences: the keysets that its compliance profile leaves out. */
      readonly leftOut: readonly string[];
    }
  /** Without a signature. */
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny'; readonly reasons: readonly string[] }
  /** Nothing of the policy can be used; `error` is of no use, see isOfNoUse. No registry need be asked. */
  | { readonly kind: 'unusable'; readonly error: Error }
);

/** A set of policies, ready to judge any number of images. */
export interface CompiledImagePolicies {
  /**
   * All must be satisfied. None: no policy has rules about images.
   * @param repository `registry/repository`, normalised: `docker.io/library/nginx`
   */
  requirementsOn(repository: string): readonly Requirement[];
  /** Of no use to anyone, whatever the requirements and their enforcement say. */
  readonly revokedDigests: ReadonlySet<string>;
}
