// Google Cloud KMS through its SDK, over REST: that goes through HTTP proxies and needs no second transport.

import { createHash } from 'node:crypto';
import { KeyManagementServiceClient, type protos } from '@google-cloud/kms';
import { type IssuingAlgorithm, signatureAlgorithms } from '../../crypto/algorithms.ts';
import { encodeSpki } from '../../crypto/spki.ts';
import { SigningError } from '../errors.ts';
import { type PublicKey, publicKeyFromPem, publicKeyFromSpki } from '../keys/public-key.ts';
import { crc32c } from './crc32c.ts';
import { externalMu } from './external-mu.ts';
import { checkedEndpoint } from './google-endpoint.ts';
import { codeOf, damaged, explained, rpcCode } from './google-errors.ts';
import { type KmsKey, type KmsOptions, type KmsSlot, kmsKeyError } from './service.ts';
import type { GoogleKmsUri } from './uri.ts';

type Api = typeof protos.google.cloud.kms.v1;
type PublicKeyMessage = Parameters<Api['PublicKey']['create']>[0] & {};
type SignRequest = Parameters<Api['AsymmetricSignRequest']['create']>[0] & {};
type SignResponse = Parameters<Api['AsymmetricSignResponse']['create']>[0] & {};
/** As protobuf.js gives a google.protobuf.Int64Value. */
type Checksum = { readonly value?: unknown } | null | undefined;

/** What a key of this kind is, and what of a message it signs. */
interface GoogleAlgorithm {
  readonly algorithm: IssuingAlgorithm;
  readonly input: 'message' | 'mu' | 'digest';
}

const algorithms: Readonly<Record<string, GoogleAlgorithm>> = {
  PQ_SIGN_ML_DSA_65: { algorithm: 'ML-DSA-65', input: 'message' },
  PQ_SIGN_ML_DSA_65_EXTERNAL_MU: { algorithm: 'ML-DSA-65', input: 'mu' },
  PQ_SIGN_ML_DSA_87: { algorithm: 'ML-DSA-87', input: 'message' },
  PQ_SIGN_ML_DSA_87_EXTERNAL_MU: { algorithm: 'ML-DSA-87', input: 'mu' },
  EC_SIGN_P256_SHA256: { algorithm: 'ECDSA-P256', input: 'digest' },
  EC_SIGN_P384_SHA384: { algorithm: 'ECDSA-P384', input: 'digest' },
};

const algorithmsMade = {
  'ML-DSA-65': 'PQ_SIGN_ML_DSA_65',
  'ML-DSA-87': 'PQ_SIGN_ML_DSA_87',
  'ECDSA-P256': 'EC_SIGN_P256_SHA256',
  'ECDSA-P384': 'EC_SIGN_P384_SHA384',
} as const satisfies Record<IssuingAlgorithm, string>;

/** A new key is made within seconds, one in an HSM takes longer; each look costs little. */
const readyIntervalMs = 1000;
/** One page: nobody has a thousand enabled versions of a key. */
const maxVersions = 1000;

type Options = KmsOptions & Required<Pick<KmsOptions, 'sleep'>>;

export function googleSlot(uri: GoogleKmsUri, options: Options): KmsSlot {
  const client = new KeyManagementServiceClient({ fallback: true, ...checkedEndpoint(options.env) });
  const keyName = `${uri.keyRing}/cryptoKeys/${uri.key}`;
  return {
    find: async (signal) => {
      try {
        const version = uri.version ?? (await newestVersion(client, keyName, signal));
        return await openVersion(client, `${keyName}/cryptoKeyVersions/${version}`, signal);
      } catch (error) {
        if (codeOf(error) === rpcCode.notFound) return undefined;
        throw explained(error, keyName);
      }
    },
    create: (algorithm, signal) => create(client, uri, keyName, algorithm, options, signal),
  };
}

/** The highest number, as cosign takes it. */
async function newestVersion(
  client: KeyManagementServiceClient,
  keyName: string,
  signal: AbortSignal,
): Promise<string> {
  const request = { parent: keyName, filter: 'state=ENABLED', pageSize: maxVersions };
  const [versions] = await client.listCryptoKeyVersions(request, { signal, autoPaginate: false });
  const prefix = `${keyName}/cryptoKeyVersions/`;
  const numbers = versions.flatMap(({ name }) => {
    const text = name?.startsWith(prefix) ? name.slice(prefix.length) : '';
    return /^[1-9][0-9]{0,14}$/.test(text) ? [Number(text)] : [];
  });
  if (numbers.length === 0)
    throw kmsKeyError(`the Google KMS key ${keyName} has no enabled version: enable or add one`);
  return String(Math.max(...numbers));
}

async function openVersion(
  client: KeyManagementServiceClient,
  name: string,
  signal: AbortSignal,
): Promise<KmsKey> {
  const message = await fetchPublicKey(client, name, signal);
  if (message.name !== name) throw damaged(name);
  const known = algorithms[String(message.algorithm)];
  if (known === undefined) {
    throw kmsKeyError(
      `the Google KMS key ${name} is of ${message.algorithm}; Trellis signs with ${Object.keys(algorithms).join(', ')}`,
    );
  }
  const publicKey = readPublicKey(name, known.algorithm, message);
  return {
    publicKey,
    name,
    sign: (data, signing) => sign(client, name, known, publicKey, data, signing),
  };
}

/**
 * Without a format the service gives PEM, and for post-quantum keys an error; those it gives in NIST's format, the bare
 * key of FIPS 204.
 */
async function fetchPublicKey(
  client: KeyManagementServiceClient,
  name: string,
  signal: AbortSignal,
): Promise<PublicKeyMessage> {
  try {
    return (await client.getPublicKey({ name }, { signal }))[0];
  } catch (error) {
    const refused: readonly unknown[] = [
      rpcCode.invalidArgument,
      rpcCode.failedPrecondition,
      rpcCode.unimplemented,
    ];
    if (!refused.includes(codeOf(error))) throw error;
    return (await client.getPublicKey({ name, publicKeyFormat: 'NIST_PQC' }, { signal }))[0];
  }
}

function readPublicKey(name: string, algorithm: IssuingAlgorithm, message: PublicKeyMessage): PublicKey {
  const publicKey = decodePublicKey(name, algorithm, message);
  if (publicKey.algorithm === algorithm) return publicKey;
  throw kmsKeyError(
    `the Google KMS key ${name} is said to be of ${algorithm} and is of ${publicKey.algorithm}`,
  );
}

function decodePublicKey(name: string, algorithm: IssuingAlgorithm, message: PublicKeyMessage): PublicKey {
  const { pem, pemCrc32c, publicKey: raw } = message;
  try {
    if (pem) {
      requireChecksum(name, Buffer.from(pem), pemCrc32c);
      return publicKeyFromPem(pem);
    }
    const bytes = bytesOf(raw?.data);
    requireChecksum(name, bytes, raw?.crc32cChecksum);
    return publicKeyFromSpki(encodeSpki(algorithm, bytes));
  } catch (error) {
    if (error instanceof SigningError && error.code === 'ERR_PUBLIC_KEY_INVALID')
      throw kmsKeyError(`the public key of the Google KMS key ${name}: ${error.message}`, error);
    throw error;
  }
}

async function sign(
  client: KeyManagementServiceClient,
  name: string,
  { input }: GoogleAlgorithm,
  publicKey: PublicKey,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    const [response] = await client.asymmetricSign(
      { name, ...messageFor(input, publicKey, data) },
      { signal },
    );
    return checkedSignature(name, input, response);
  } catch (error) {
    throw explained(error, name, input === 'message' ? data.length : undefined);
  }
}

function messageFor(
  input: GoogleAlgorithm['input'],
  { algorithm, spki }: PublicKey,
  data: Uint8Array,
): SignRequest {
  if (input === 'message') return { data, dataCrc32c: { value: crc32c(data) } };
  const { hash } = signatureAlgorithms[algorithm];
  const bytes = hash === null ? externalMu(spki, data) : createHash(hash).update(data).digest();
  const digest = hash === null ? { externalMu: bytes } : { [hash]: bytes };
  return { digest, digestCrc32c: { value: crc32c(bytes) } };
}

/** https://cloud.google.com/kms/docs/data-integrity-guidelines: that both sides saw the same bytes, of the same key. */
function checkedSignature(name: string, input: GoogleAlgorithm['input'], response: SignResponse): Uint8Array {
  const received = input === 'message' ? response.verifiedDataCrc32c : response.verifiedDigestCrc32c;
  if (response.name !== name || received !== true) throw damaged(name);
  const signature = bytesOf(response.signature);
  requireChecksum(name, signature, response.signatureCrc32c);
  return signature;
}

function requireChecksum(name: string, bytes: Uint8Array, checksum: Checksum): void {
  // An int64, which comes as text, as a number or as a Long.
  if (String(checksum?.value) !== String(crc32c(bytes))) throw damaged(name);
}

function bytesOf(value: Uint8Array | string | null | undefined): Uint8Array {
  if (value === null || value === undefined) return new Uint8Array();
  return typeof value === 'string' ? Buffer.from(value, 'base64') : value;
}

async function create(
  client: KeyManagementServiceClient,
  { keyRing, key, version }: GoogleKmsUri,
  keyName: string,
  algorithm: IssuingAlgorithm,
  { sleep }: Options,
  signal: AbortSignal,
): Promise<KmsKey> {
  if (version !== undefined) {
    throw kmsKeyError(
      `there is no version ${version} of the Google KMS key ${keyName}: leave the version out to create the key`,
    );
  }
  try {
    const cryptoKey = {
      purpose: 'ASYMMETRIC_SIGN',
      versionTemplate: { algorithm: algorithmsMade[algorithm] },
    } as const;
    await client.createCryptoKey({ parent: keyRing, cryptoKeyId: key, cryptoKey }, { signal });
  } catch (error) {
    throw explained(error, keyName);
  }
  return await whenReady(client, `${keyName}/cryptoKeyVersions/1`, sleep, signal);
}

/** Until then the version is PENDING_GENERATION, and asking for its public key a failed precondition. */
async function whenReady(
  client: KeyManagementServiceClient,
  name: string,
  sleep: Options['sleep'],
  signal: AbortSignal,
): Promise<KmsKey> {
  for (;;) {
    try {
      return await openVersion(client, name, signal);
    } catch (error) {
      if (codeOf(error) !== rpcCode.failedPrecondition) throw explained(error, name);
    }
    await sleep(readyIntervalMs, signal);
  }
}
