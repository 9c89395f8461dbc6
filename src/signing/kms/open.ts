// Keys that never leave a key management service. The vendors' SDKs are large: they are loaded when a key of theirs is used.

import { setTimeout as delay } from 'node:timers/promises';
import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import { withDeadline } from '../deadline.ts';
import { SigningError } from '../errors.ts';
import type { PublicKey } from '../keys/public-key.ts';
import { type Signer, verified } from '../keys/signer.ts';
import { type KmsKey, type KmsOptions, type KmsSlot, kmsKeyError } from './service.ts';
import { parseKmsUri } from './uri.ts';

/** A signature takes well under a second; the SDKs retry within this. */
const defaultDeadlineMs = 30_000;
/** Made when the caller does not ask for an algorithm. */
const defaultAlgorithm: IssuingAlgorithm = 'ML-DSA-65';

/**
 * A signer whose private key stays in the service. The public key is fetched once, here; each signature is verified
 * with it before it is returned, so that neither the service nor anything in between can hand out a bad one.
 * @throws SigningError ERR_KMS_URI_INVALID, ERR_KMS_KEY, ERR_KMS_UNAVAILABLE, ERR_KMS_CREDENTIALS; signing also
 * ERR_SIGNATURE_INVALID
 */
export async function openKmsSigner(uri: string, options: KmsOptions, signal?: AbortSignal): Promise<Signer> {
  const key = await openKey(uri, options, signal);
  return {
    publicKey: key.publicKey,
    sign: async (data, signing) => {
      const signature = await within(options, signing, `signing with ${uri}`, (each) => key.sign(data, each));
      return verified(key.publicKey, data, signature);
    },
  };
}

/** @throws SigningError ERR_KMS_URI_INVALID, ERR_KMS_KEY, ERR_KMS_UNAVAILABLE, ERR_KMS_CREDENTIALS */
export async function openKmsPublicKey(
  uri: string,
  options: KmsOptions,
  signal?: AbortSignal,
): Promise<PublicKey> {
  return (await openKey(uri, options, signal)).publicKey;
}

export interface ProvidedKmsKey {
  readonly publicKey: PublicKey;
  /** The service's full name of it. */
  readonly name: string;
  /** False: it was there before. */
  readonly created: boolean;
}

/**
 * The key of that name, made when there is none.
 * @param algorithm of the key; one that exists must have it. Undefined: whatever an existing one has, else ML-DSA-65
 * @throws SigningError ERR_KMS_URI_INVALID, ERR_KMS_KEY, ERR_KMS_UNAVAILABLE, ERR_KMS_CREDENTIALS
 */
export async function provideKmsKey(
  uri: string,
  algorithm: IssuingAlgorithm | undefined,
  options: KmsOptions,
  signal?: AbortSignal,
): Promise<ProvidedKmsKey> {
  return await within(options, signal, `making the key ${uri}`, async (each) => {
    const slot = await slotOf(uri, options);
    const found = await slot.find(each);
    const { publicKey, name } = found ?? (await slot.create(algorithm ?? defaultAlgorithm, each));
    if (algorithm !== undefined && publicKey.algorithm !== algorithm) {
      throw kmsKeyError(
        `${uri} exists and is a key of ${publicKey.algorithm}, not of ${algorithm}: give another name, or leave the algorithm out to use it`,
      );
    }
    return { publicKey, name, created: found === undefined };
  });
}

async function openKey(uri: string, options: KmsOptions, signal: AbortSignal | undefined): Promise<KmsKey> {
  const key = await within(options, signal, `opening ${uri}`, async (each) =>
    (await slotOf(uri, options)).find(each),
  );
  if (key === undefined) {
    throw kmsKeyError(
      `there is no key ${uri}, or these credentials do not show it: create it with trellis keygen --kms ${uri}`,
    );
  }
  return key;
}

async function slotOf(uri: string, options: KmsOptions): Promise<KmsSlot> {
  const parsed = parseKmsUri(uri);
  const sleep = options.sleep ?? defaultSleep;
  if (parsed.service === 'aws') return (await import('./aws.ts')).awsSlot(parsed, { ...options, sleep });
  return (await import('./google.ts')).googleSlot(parsed, { ...options, sleep });
}

function defaultSleep(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal });
}

function within<T>(
  { deadlineMs = defaultDeadlineMs }: KmsOptions,
  signal: AbortSignal | undefined,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const error = () =>
    new SigningError(
      'ERR_KMS_UNAVAILABLE',
      `${what}: no answer within ${deadlineMs / 1000} s; check the network, proxies and credentials, then try again`,
    );
  return withDeadline({ milliseconds: deadlineMs, error }, signal, run);
}
