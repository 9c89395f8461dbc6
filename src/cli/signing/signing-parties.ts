// From the options of commands that sign to who signs. What is large is loaded when it is needed.

import { randomBytes } from 'node:crypto';
import { signatureAlgorithms } from '../../crypto/algorithms.ts';
import type { TrustedRoot } from '../../signing/keyless/trusted-root.ts';
import type { PublicKey } from '../../signing/keys/public-key.ts';
import type { Transport } from '../../signing/services/request.ts';
import { keyParty, type SigningParty, type Timestamper } from '../../signing/sign/party.ts';
import type { Authority } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { signersOf } from './keys.ts';
import { refuseKeysOfNoKeyset } from './keyset-keys.ts';
import { signersAuthority } from './signers-authority.ts';
import type { SigningOptions } from './signing-options.ts';

/** Who signs, and as what authority the result is verified. */
export interface Signing {
  readonly parties: readonly SigningParty[];
  readonly authority: Authority;
  /** False for certificates and time-stamps, which are new for every signing: there is never one to find. */
  readonly mayBeThereAlready: boolean;
  /** What to tell the user. */
  readonly warnings: readonly string[];
  /** Ends the connections to Sigstore's services. */
  close(): Promise<void>;
}

/** @throws CliError, SigningError */
export async function signingOf(options: SigningOptions): Promise<Signing> {
  if (options.key.length === 0 && !options.keyless) {
    throw new CliError('ERR_USAGE', 'nothing to sign with', {
      hint: 'give --key once for each key; trellis keygen makes a pair of them',
    });
  }
  const services = await servicesOf(options);
  try {
    return await withServices(options, services);
  } catch (error) {
    await services.transport?.close();
    throw error;
  }
}

type Services = Awaited<ReturnType<typeof servicesOf>>;

/** Everything here before a password is asked for. */
async function servicesOf({ trustedRoot, keyless, timestamp }: SigningOptions) {
  return {
    trustedRoot: trustedRoot === undefined ? undefined : await trustedRootOf(trustedRoot),
    transport: keyless || timestamp !== undefined ? await transportOf() : undefined,
  };
}

async function trustedRootOf(path: string): Promise<TrustedRoot> {
  return (await import('./keyless-identity.ts')).readTrustedRoot(path);
}

async function transportOf() {
  return (await import('./sigstore-transport.ts')).sigstoreTransport();
}

async function withServices(options: SigningOptions, { trustedRoot, transport }: Services): Promise<Signing> {
  const timestamp = await timestamper(options.timestamp, transport);
  const signers = await signersOf(options);
  const keys = signers.map(({ publicKey }) => publicKey);
  refuseKeysOfNoKeyset(keys);
  const parties: SigningParty[] = signers.map((signer) => keyParty(signer, timestamp));
  const keyless = options.keyless ? await keylessSigning(options, { trustedRoot, transport }) : undefined;
  if (keyless !== undefined) parties.push(keyless.party);
  const checked = trustedRoot !== undefined && timestamp !== undefined;
  return {
    parties: checked ? await withVerifiedTimestamps(parties, trustedRoot) : parties,
    mayBeThereAlready: !options.keyless && options.timestamp === undefined,
    warnings: warningsAbout(keys),
    authority: signersAuthority(keys, keyless?.verifier),
    close: async () => await transport?.close(),
  };
}

function warningsAbout(keys: readonly PublicKey[]): readonly string[] {
  if (keys.some(({ algorithm }) => signatureAlgorithms[algorithm].postQuantum)) return [];
  return ['no ML-DSA key was given: a quantum computer could forge this signature'];
}

async function keylessSigning(
  options: SigningOptions,
  { trustedRoot, transport = {} }: { trustedRoot: TrustedRoot | undefined; transport: Transport | undefined },
) {
  const { keylessParty, anyIdentity } = await import('./keyless-party.ts');
  if (trustedRoot === undefined) {
    throw new CliError('ERR_USAGE', 'what --keyless signs cannot be verified without a trusted root', {
      hint: 'give --trusted-root FILE; docs/signing.md says where to get one',
    });
  }
  return { party: keylessParty(options, transport), verifier: anyIdentity(trustedRoot, options) };
}

async function timestamper(
  tsaUrl: string | undefined,
  transport: Transport = {},
): Promise<Timestamper | undefined> {
  if (tsaUrl === undefined) return undefined;
  const { requestTimestamp } = await import('../../signing/timestamp/request.ts');
  return (signature, signal) =>
    requestTimestamp(signature, { tsaUrl, random: randomBytes, transport }, signal);
}

async function withVerifiedTimestamps(
  parties: readonly SigningParty[],
  trustedRoot: TrustedRoot,
): Promise<readonly SigningParty[]> {
  const { verifiedTimestamps } = await import('./verified-timestamps.ts');
  return parties.map((party) => verifiedTimestamps(party, trustedRoot, () => new Date()));
}
