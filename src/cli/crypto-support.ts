// Whether this Node can do post-quantum cryptography. Distributions build Node 24 and later against an OpenSSL
// without it, so a version number proves nothing: known answers and round trips do.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto';
import { CliError } from './errors.ts';

export interface CryptoSupport {
  /** ML-KEM-768, FIPS 203. */
  readonly mlKem: boolean;
  /** ML-DSA-65, FIPS 204. */
  readonly mlDsa: boolean;
}

/** A PKCS#8 private key in its seed-only form, and what must come out of it. */
interface KnownAnswer {
  readonly pkcs8Prefix: string;
  readonly seedBytes: number;
  readonly publicKeyBytes: number;
  /** Of the raw public key. */
  readonly sha256: string;
}

// The seeds are the bytes 00, 01, 02 … of the example keys in RFC 9881 and RFC 9935.
const mlDsa65: KnownAnswer = {
  pkcs8Prefix: '3034020100300b060960864801650304031204228020',
  seedBytes: 32,
  publicKeyBytes: 1952,
  sha256: 'd666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9',
};
const mlKem768: KnownAnswer = {
  pkcs8Prefix: '3054020100300b060960864801650304040204428040',
  seedBytes: 64,
  publicKeyBytes: 1184,
  sha256: '0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9',
};

function derivesKnownKey(answer: KnownAnswer): boolean {
  const seed = Buffer.from(Array.from({ length: answer.seedBytes }, (_, index) => index));
  const der = Buffer.concat([Buffer.from(answer.pkcs8Prefix, 'hex'), seed]);
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const raw = key.export({ format: 'der', type: 'spki' }).subarray(-answer.publicKeyBytes);
  return createHash('sha256').update(raw).digest('hex') === answer.sha256;
}

function signsAndRefuses(): boolean {
  const { privateKey, publicKey } = generateKeyPairSync('ml-dsa-65');
  const message = Buffer.from('trellis');
  const signature = sign(null, message, privateKey);
  const forged = Buffer.from(signature);
  forged.writeUInt8(forged.readUInt8(0) ^ 1, 0);
  return verify(null, message, publicKey, signature) && !verify(null, message, publicKey, forged);
}

function agreesOnSecret(): boolean {
  const { privateKey, publicKey } = generateKeyPairSync('ml-kem-768');
  const { sharedKey, ciphertext } = encapsulate(publicKey);
  return decapsulate(privateKey, ciphertext).equals(sharedKey);
}

/** A Node without the algorithm throws from the first call that names it. */
function holds(probe: () => boolean): boolean {
  try {
    return probe();
  } catch {
    return false;
  }
}

/** Takes about a millisecond. */
export function probeCryptoSupport(): CryptoSupport {
  return {
    mlKem: holds(() => derivesKnownKey(mlKem768) && agreesOnSecret()),
    mlDsa: holds(() => derivesKnownKey(mlDsa65) && signsAndRefuses()),
  };
}

/**
 * For commands that cannot do anything without post-quantum keys: called first, so that they fail before they have
 * touched anything.
 * @throws CliError `ERR_NODE_LACKS_ML_DSA`
 */
export function requirePostQuantumCrypto(support: CryptoSupport = probeCryptoSupport()): void {
  const missing = [...(support.mlDsa ? [] : ['ML-DSA']), ...(support.mlKem ? [] : ['ML-KEM'])];
  if (missing.length === 0) return;
  throw new CliError(
    'ERR_NODE_LACKS_ML_DSA',
    `this Node.js (${process.version}, OpenSSL ${process.versions.openssl}) cannot do ${missing.join(' and ')}`,
    { hint: 'use a Node.js 24.15 or later built with OpenSSL 3.5 or later, such as the one from nodejs.org' },
  );
}
