// From the options of commands that verify to what they demand. What is large is loaded when it is needed.

import type {
  AttestationRequirement,
  KeylessVerifier,
  VerificationPolicy,
} from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { type Demands, fixedDemand } from './demands.ts';
import { kmsPublicKey, publicKeysOf } from './keys.ts';
import type { VerificationOptions } from './verification-options.ts';

/** @throws CliError, SigningError */
export async function demandsOf(
  options: VerificationOptions,
  attestations: readonly AttestationRequirement[] = [],
): Promise<Demands> {
  if (options.policy !== undefined) return await byPolicy(options.policy, options);
  const keys = await publicKeysOf(options.key);
  const keyless = await keylessIdentity(options);
  if (keys.length === 0 && keyless === undefined) {
    throw new CliError('ERR_USAGE', 'nothing to verify with', {
      hint: 'give --key once for each key, --policy FILE, or --certificate-identity with --certificate-oidc-issuer',
    });
  }
  const policy: VerificationPolicy = {
    authorities: [
      {
        name: 'signers',
        threshold: 1,
        keysets: keys.length === 0 ? [] : [{ name: 'keys', notAfter: undefined, keys }],
        keyless,
      },
    ],
    bindReference: options.bindReference ?? 'repository',
    annotations: options.annotation ?? {},
    attestations,
    revokedDigests: new Set(),
    revokedKeys: new Set(),
  };
  return fixedDemand(policy);
}

async function byPolicy(path: string, options: VerificationOptions): Promise<Demands> {
  const { key, bindReference, annotation, certificateIdentity, certificateIdentityRegexp } = options;
  const given = [...key, bindReference, annotation, certificateIdentity, certificateIdentityRegexp];
  if (given.some((each) => each !== undefined)) {
    throw new CliError(
      'ERR_USAGE',
      'with --policy the file says everything: give no keys or identities beside it',
    );
  }
  const { readPolicyFile } = await import('./policy-file.ts');
  const { policyDemands } = await import('./policy-demands.ts');
  return policyDemands(await readPolicyFile(path), { kms: kmsPublicKey });
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
