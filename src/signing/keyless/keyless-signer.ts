// Keyless signing: a key that is made here and never written down, a certificate that says whose it is, and a log entry
// or a time-stamp that says when it signed. The result is one Sigstore bundle v0.3.

import { bundleToJSON, type TransparencyLogEntry, toDSSEBundle } from '@sigstore/bundle';
import { generateSigningKey, type SigningKey } from '../../crypto/keys.ts';
import { SigningError } from '../errors.ts';
import { pae, payloadType } from '../format/dsse.ts';
import { localSigner } from '../keys/signer.ts';
import { serviceUrl, type Transport } from '../services/request.ts';
import type { SigningParty } from '../sign/party.ts';
import { requestTimestamp } from '../timestamp/request.ts';
import { requestCertificate } from './fulcio.ts';
import { logSignature } from './rekor.ts';
import type { SigningCertificate } from './signing-certificate.ts';
import type { IdentityTokenSource } from './token-source.ts';

/**
 * Sigstore's public-good instance, as far as its addresses are stable: its newer logs have one per year and its time-stamp
 * authority is announced in the signing configuration, so those are given by whoever wants them.
 */
export const publicGoodInstance = {
  fulcioUrl: 'https://fulcio.sigstore.dev',
  rekorUrl: 'https://rekor.sigstore.dev',
} as const;

export interface KeylessSignerOptions {
  readonly identityToken: IdentityTokenSource;
  readonly fulcioUrl: string;
  /** A Rekor of API version 1. At least one of `rekorUrl` and `tsaUrl` is needed. */
  readonly rekorUrl?: string | undefined;
  readonly tsaUrl?: string | undefined;
  readonly now: () => Date;
  /** So many bytes from a cryptographic generator. */
  readonly random: (bytes: number) => Uint8Array;
  readonly transport?: Transport | undefined;
}

/** Log and time-stamp must say a time within the certificate's life, and they take seconds. */
const leastRemainingMilliseconds = 60_000;

/**
 * A party with a key of its own, made here. The certificate is asked for when the first bundle is, and again with a fresh
 * token when it is about to run out; bundles fail with SigningError ERR_IDENTITY_TOKEN, ERR_SIGSTORE_SERVICE,
 * ERR_SIGNATURE_INVALID, or the signal's reason.
 * @throws SigningError ERR_SIGSTORE_URL_INVALID
 */
export function keylessSigner(options: KeylessSignerOptions): SigningParty {
  const { identityToken, now, random, tsaUrl, transport = {} } = options;
  const fulcioUrl = serviceUrl(options.fulcioUrl, 'the URL of Fulcio');
  const rekorUrl =
    options.rekorUrl === undefined ? undefined : serviceUrl(options.rekorUrl, 'the URL of Rekor');
  if (tsaUrl !== undefined) serviceUrl(tsaUrl, 'the URL of the time-stamp authority');
  if (rekorUrl === undefined && tsaUrl === undefined) {
    throw new SigningError(
      'ERR_SIGSTORE_URL_INVALID',
      'keyless signing needs a transparency log or a time-stamp authority: the certificate is valid for minutes only, and without one of them nothing proves that it was used in time',
    );
  }
  const key: SigningKey = generateSigningKey('ECDSA-P256');
  const signer = localSigner(key);
  const { publicKey } = signer;
  let current: Promise<SigningCertificate> | undefined;

  /** Payloads that are signed at the same time share one request, and its fate. */
  async function certificate(signal: AbortSignal | undefined): Promise<SigningCertificate> {
    const before = current;
    if (before !== undefined) {
      const held = await before;
      if (held.notAfter.getTime() - now().getTime() >= leastRemainingMilliseconds) return held;
      if (current === before) current = undefined;
    }
    current ??= newCertificate(signal);
    const requested = current;
    requested.catch(() => {
      if (current === requested) current = undefined;
    });
    return await requested;
  }

  async function newCertificate(signal: AbortSignal | undefined): Promise<SigningCertificate> {
    const token = await identityToken(signal);
    return await requestCertificate({ fulcioUrl, token, key, publicKey, transport }, signal);
  }

  return {
    publicKey,
    bundle: async (payload, signal) => {
      const { der } = await certificate(signal);
      const signature = await signer.sign(pae(payloadType, payload), signal);
      const [entry, timestamp] = await Promise.all([
        rekorUrl === undefined
          ? undefined
          : logSignature({ rekorUrl, payload, signature, certificate: der, transport }, signal),
        tsaUrl === undefined ? undefined : requestTimestamp(signature, { tsaUrl, random, transport }, signal),
      ]);
      return encodeBundle({ payload, signature, certificate: der, entry, timestamp });
    },
  };
}

interface BundleParts {
  readonly payload: Uint8Array;
  readonly signature: Buffer;
  readonly certificate: Buffer;
  readonly entry: TransparencyLogEntry | undefined;
  readonly timestamp: Buffer | undefined;
}

function encodeBundle({ payload, signature, certificate, entry, timestamp }: BundleParts): Buffer {
  const bundle = toDSSEBundle({
    artifact: Buffer.from(payload),
    artifactType: payloadType,
    signature,
    certificate,
    certificateChain: false,
  });
  const { verificationMaterial } = bundle;
  if (entry !== undefined) verificationMaterial.tlogEntries.push(entry);
  if (timestamp !== undefined)
    verificationMaterial.timestampVerificationData?.rfc3161Timestamps.push({ signedTimestamp: timestamp });
  return Buffer.from(JSON.stringify(bundleToJSON(bundle)), 'utf8');
}
