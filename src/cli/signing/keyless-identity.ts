// From the identity options to what verifies keyless signatures.

import type { IdentityPattern } from '../../signing/keyless/identity-pattern.ts';
import { keylessVerifier } from '../../signing/keyless/keyless-verifier.ts';
import {
  maxTrustedRootBytes,
  parseTrustedRoot,
  type TrustedRoot,
} from '../../signing/keyless/trusted-root.ts';
import type { KeylessVerifier } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';
import type { KeylessIdentityOptions } from './keyless-options.ts';

export async function readTrustedRoot(path: string): Promise<TrustedRoot> {
  return parseTrustedRoot(await readNamedFile('the trusted root', path, maxTrustedRootBytes));
}

/**
 * Undefined when no identity is asked for. Which options go together stands in option-rules.ts.
 * @throws CliError ERR_USAGE, SigningError
 */
export async function keylessOf(options: KeylessIdentityOptions): Promise<KeylessVerifier | undefined> {
  const subject = pattern(options.certificateIdentity, options.certificateIdentityRegexp);
  const issuer = pattern(options.certificateOidcIssuer, options.certificateOidcIssuerRegexp);
  if (subject === undefined && issuer === undefined) return undefined;
  if (subject === undefined || issuer === undefined || options.trustedRoot === undefined) {
    throw new CliError('ERR_USAGE', 'a keyless signature is verified by identity, issuer and trusted root', {
      hint: 'give --certificate-identity, --certificate-oidc-issuer and --trusted-root; docs/signing.md says where to get one',
    });
  }
  const trustedRoot = await readTrustedRoot(options.trustedRoot);
  return keylessVerifier({ issuer, subject, trustedRoot, requireLog: options.log });
}

function pattern(exact: string | undefined, regexp: string | undefined): IdentityPattern | undefined {
  return exact ?? (regexp === undefined ? undefined : { regexp });
}
