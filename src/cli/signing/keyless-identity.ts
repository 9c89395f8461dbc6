// From the identity options to what verifies keyless signatures.

import type { IdentityPattern } from '../../signing/keyless/identity-pattern.ts';
import { type KeylessVerifierOptions, keylessVerifier } from '../../signing/keyless/keyless-verifier.ts';
import { parseTrustedRoot, type TrustedRoot } from '../../signing/keyless/trusted-root.ts';
import type { KeylessVerifier } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import type { KeylessIdentityOptions } from './keyless-options.ts';
import { readBounded } from './usable.ts';

const maxTrustedRootBytes = 1024 * 1024;

export async function readTrustedRoot(path: string): Promise<TrustedRoot> {
  return parseTrustedRoot(await readBounded('the trusted root', path, maxTrustedRootBytes));
}

/** Undefined when no identity is asked for. @throws CliError ERR_USAGE, SigningError */
export async function keylessOf(options: KeylessIdentityOptions): Promise<KeylessVerifier | undefined> {
  const subject = pattern(
    'certificate-identity',
    options.certificateIdentity,
    options.certificateIdentityRegexp,
  );
  const issuer = pattern(
    'certificate-oidc-issuer',
    options.certificateOidcIssuer,
    options.certificateOidcIssuerRegexp,
  );
  if (subject === undefined && issuer === undefined) return undefined;
  if (subject === undefined || issuer === undefined) {
    throw new CliError('ERR_USAGE', 'an identity means nothing without whoever vouched for it', {
      hint: 'give both --certificate-identity and --certificate-oidc-issuer (or their -regexp forms)',
    });
  }
  if (options.trustedRoot === undefined) {
    throw new CliError('ERR_USAGE', 'a keyless signature cannot be verified without a trusted root', {
      hint: 'give --trusted-root FILE; docs/signing.md says where to get one',
    });
  }
  const chosen: KeylessVerifierOptions = {
    issuer,
    subject,
    trustedRoot: await readTrustedRoot(options.trustedRoot),
    requireLog: options.log,
  };
  return keylessVerifier(chosen);
}

function pattern(
  option: string,
  exact: string | undefined,
  regexp: string | undefined,
): IdentityPattern | undefined {
  if (exact !== undefined && regexp !== undefined) {
    throw new CliError('ERR_USAGE', `give one of --${option} and --${option}-regexp`);
  }
  return exact ?? (regexp === undefined ? undefined : { regexp });
}
