// Where a tag is not good enough: what a tag names when the kubelet pulls it need not be what was judged.

import type { Policy } from '../../model/mesh.ts';
import { type ImageReference, repositoryName } from '../../registry/reference.ts';
import { SigningError } from '../../signing/errors.ts';
import type { KeySources } from './authorities.ts';
import { compileImagePolicies } from './compile-image-policies.ts';
import type { CompiledImagePolicies } from './requirement.ts';

/** For who has not compiled the policies; see ImageJudge. */
export function mustBeDigest(reference: ImageReference, policies: readonly Policy[]): boolean {
  return demandsDigest(compileImagePolicies(policies, unasked), reference);
}

/** Whether something that is enforced demands a signature of the image, or digests are revoked. */
export function demandsDigest(policies: CompiledImagePolicies, reference: ImageReference): boolean {
  return (
    policies.revokedDigests.size > 0 ||
    policies
      .requirementsOn(repositoryName(reference))
      .some(({ kind, enforcement }) => kind === 'verify' && enforcement === 'enforce')
  );
}

/** What is demanded does not depend on keys. */
const unasked: KeySources = { kms: refuse, configMap: refuse };

async function refuse(): Promise<never> {
  throw new SigningError('ERR_VERIFICATION_POLICY_INVALID', 'no keys are needed to know what is demanded');
}
