// From the options of commands that sign to who signs. What is large is loaded when it is needed.

import { randomBytes } from 'node:crypto';
import { signatureAlgorithms } from '../../crypto/algorithms.ts';
import type { PublicKey } from '../../signing/keys/public-key.ts';
import { keyParty, type SigningParty, type Timestamper } from '../../signing/sign/party.ts';
import type { Authority } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { signersOf } from './keys.ts';
import type { SigningOptions } from './signing-options.ts';
import { sigstoreTransport } from './sigstore-transport.ts';

/** Who signs, and as what authority the result is verified. */
export interface Signing {
  readonly parties: readonly SigningParty[];
  readonly authority: Authority;
  /** A certificate is new for every signing, so there is never one to find. */
  readonly mayBeThereAlready: boolean;
  /** What to tell the user. */
  readonly warnings: readonly string[];
}

/** @throws CliError, SigningError */
export async function signingOf(options: SigningOptions): Promise<Signing> {
  const timestamp = await timestamper(options.timestamp);
  const signers = await signersOf(options);
  if (signers.length === 0 && !options.keyless) {
    throw new CliError('ERR_USAGE', 'nothing to sign with', {
      hint: 'give --key once for each key; trellis keygen makes a pair of them',
    });
  }
  const keys = signers.map(({ publicKey }) => publicKey);
  const parties: SigningParty[] = signers.map((signer) => keyParty(signer, timestamp));
  const keyless = options.keyless ? await keylessSigning(options) : undefined;
  if (keyless !== undefined) parties.push(keyless.party);
  return {
    parties,
    mayBeThereAlready: !options.keyless,
    warnings: warningsAbout(keys),
    authority: {
      name: 'signers',
      threshold: 1,
      keysets: keys.length === 0 ? [] : [{ name: 'keys', notAfter: undefined, keys }],
      keyless: keyless?.verifier,
    },
  };
}

function warningsAbout(keys: readonly PublicKey[]): readonly string[] {
  if (keys.some(({ algorithm }) => signatureAlgorithms[algorithm].postQuantum)) return [];
  return ['no ML-DSA key was given: a quantum computer could forge this signature'];
}

async function keylessSigning(options: SigningOptions) {
  const { keylessParty, anyIdentity } = await import('./keyless-party.ts');
  return { party: keylessParty(options), verifier: await anyIdentity(options) };
}

async function timestamper(tsaUrl: string | undefined): Promise<Timestamper | undefined> {
  if (tsaUrl === undefined) return undefined;
  const { requestTimestamp } = await import('../../signing/timestamp/request.ts');
  const transport = sigstoreTransport();
  return (signature, signal) =>
    requestTimestamp(signature, { tsaUrl, random: randomBytes, transport }, signal);
}
