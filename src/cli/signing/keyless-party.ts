// Keyless signing, as a party of a signing.

import { randomBytes } from 'node:crypto';
import { keylessSigner, publicGoodInstance } from '../../signing/keyless/keyless-signer.ts';
import { keylessVerifier } from '../../signing/keyless/keyless-verifier.ts';
import { identityTokenSource } from '../../signing/keyless/token-source.ts';
import type { TrustedRoot } from '../../signing/keyless/trusted-root.ts';
import type { Transport } from '../../signing/services/request.ts';
import type { SigningParty } from '../../signing/sign/party.ts';
import type { KeylessVerifier } from '../../signing/verify/policy.ts';
import type { SigningOptions } from './signing-options.ts';

export function keylessParty(
  { identityToken, fulcioUrl, rekorUrl, timestamp, log = true }: SigningOptions,
  transport: Transport,
): SigningParty {
  const now = () => new Date();
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
export function anyIdentity(trustedRoot: TrustedRoot, { log = true }: SigningOptions): KeylessVerifier {
  const anything = { regexp: '(?s).+' };
  return keylessVerifier({ issuer: anything, subject: anything, trustedRoot, requireLog: log });
}
