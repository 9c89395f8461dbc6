// From the options of commands that verify to what they require of images. What is large is loaded when it is needed.

import type { CompiledImagePolicies } from '../../admission/images/policies/requirement.ts';
import type {
  AttestationRequirement,
  KeylessVerifier,
  VerificationPolicy,
} from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { fixedRequirement } from './fixed-requirement.ts';
import { kmsPublicKey, publicKeysOf } from './keys.ts';
import { signersAuthority } from './signers-authority.ts';
import type { VerificationOptions } from './verification-options.ts';

/** @throws CliError, SigningError */
export async function requirementsOf(
  options: VerificationOptions,
  attestations: readonly AttestationRequirement[] = [],
): Promise<CompiledImagePolicies> {
  if (options.policy !== undefined) return await byPolicy(options.policy);
  const keys = await publicKeysOf(options.key);
  const keyless = await keylessIdentity(options);
  if (keys.length === 0 && keyless === undefined) {
    throw new CliError('ERR_USAGE', 'nothing to verify with', {
      hint: 'give --key once for each key, --policy FILE, or --certificate-identity with --certificate-oidc-issuer',
    });
  }
  const policy: VerificationPolicy = {
    authorities: [signersAuthority(keys, keyless)],
    bindReference: options.bindReference ?? 'repository',
    annotations: options.annotation ?? {},
    attestations,
    revokedDigests: new Set(),
    revokedKeys: new Set(),
  };
  return fixedRequirement(policy);
}

/** Whatever their namespace: an image is verified here that no pod has asked for yet. */
async function byPolicy(path: string): Promise<CompiledImagePolicies> {
  const { readPolicyFiles } = await import('../policy-files.ts');
  const { compileImagePolicies } = await import('../../admission/images/policies/compile-image-policies.ts');
  const { policies, configMap } = await readPolicyFiles([path]);
  if (!policies.some(({ spec }) => spec.images !== undefined)) {
    throw new CliError('ERR_USAGE', `${path} holds no QuantumSecurityPolicy with images`, {
      hint: 'docs/signing.md has an example',
    });
  }
  return compileImagePolicies(policies, {
    kms: kmsPublicKey,
    configMap: (namespace, name, key) => Promise.resolve(configMap(namespace, name, key)),
  });
}

async function keylessIdentity(options: VerificationOptions): Promise<KeylessVerifier | undefined> {
  const {
    certificateIdentity,
    certificateIdentityRegexp,
    certificateOidcIssuer,
    certificateOidcIssuerRegexp,
  } = options;
  const given = [
    certificateIdentity,
    certificateIdentityRegexp,
    certificateOidcIssuer,
    certificateOidcIssuerRegexp,
  ];
  if (given.every((each) => each === undefined)) return undefined;
  const { keylessOf } = await import('./keyless-identity.ts');
  return await keylessOf(options);
}
