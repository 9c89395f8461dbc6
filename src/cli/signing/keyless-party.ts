// Keyless signing, as a party of a signing.

import { randomBytes } from 'node:crypto';
import { keylessSigner, publicGoodInstance } from '../../signing/keyless/keyless-signer.ts';
import { keylessVerifier } from '../../signing/keyless/keyless-verifier.ts';
import { identityTokenSource } from '../../signing/keyless/token-source.ts';
import type { SigningParty } from '../../signing/sign/party.ts';
import type { KeylessVerifier } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { readTrustedRoot } from './keyless-identity.ts';
import type { SigningOptions } from './signing-options.ts';
import { sigstoreTransport } from './sigstore-transport.ts';

export function keylessParty({
  identityToken,
  fulcioUrl,
  rekorUrl,
  timestamp,
  log = true,
}: SigningOptions): SigningParty {
  const now = () => new Date();
  const transport = sigstoreTransport();
  return keylessSigner({
    identityToken: identityTokenSource({ file: identityToken, env: process.env, now, transport }),
    fulcioUrl: fulcioUrl ?? publicGoodInstance.fulcioUrl,
    rekorUrl: log ? (rekorUrl ?? publicGoodInstance.rekorUrl) : undefined,
    transport,
    tsaUrl: timestamp,
    now,
    random: randomBytes,
  });
}

/** Whose name the certificate bears is known when it is there; that it is the key made here is checked by the payload. */
export async function anyIdentity({ trustedRoot, log = true }: SigningOptions): Promise<KeylessVerifier> {
  if (trustedRoot === undefined) {
    throw new CliError('ERR_USAGE', 'what --keyless signs cannot be verified without a trusted root', {
      hint: 'give --trusted-root FILE; docs/signing.md says where to get one',
    });
  }
  const anything = { regexp: '(?s).+' };
  return keylessVerifier({
    issuer: anything,
    subject: anything,
    trustedRoot: await readTrustedRoot(trustedRoot),
    requireLog: log,
  });
}
