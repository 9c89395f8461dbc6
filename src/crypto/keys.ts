// Signing keys of the algorithm table, over node:crypto. Keys stay KeyObjects; bytes leave only through exportPkcs8.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { type IssuingAlgorithm, type SignatureAlgorithm, signatureAlgorithms } from './algorithms.ts';
import { readOnly } from './der/read.ts';
import { tag } from './der/tags.ts';
import { implicitPrimitive, octetString, oid, sequence, smallInteger } from './der/write.ts';
import { asParseError, CryptoError } from './errors.ts';

/** Above the largest PKCS#8 form there is: ML-DSA-87 with seed and expanded key, 4,974 bytes. */
const maxPkcs8Bytes = 8192;

export interface SigningKey {
  readonly algorithm: IssuingAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A fresh key from OpenSSL's generator. Takes well under a millisecond. */
export function generateSigningKey(algorithm: IssuingAlgorithm): SigningKey {
  refuseVerifyOnly(algorithm);
  const { nodeKeyType } = signatureAlgorithms[algorithm];
  const pair =
    typeof nodeKeyType === 'string'
      ? generateKeyPairSync(nodeKeyType)
      : generateKeyPairSync('ec', { namedCurve: nodeKeyType.namedCurve });
  return { algorithm, privateKey: pair.privateKey, publicKey: pair.publicKey };
}

/**
 * Reads an unencrypted PKCS#8 DER key. ML-DSA keys must hold their seed (RFC 9881 §6: seed-only, or seed with an
 * expanded key that agrees with it), because a key without one could not be handed to Envoy.
 * @throws CryptoError ERR_KEY_INVALID, ERR_ALGORITHM_UNKNOWN, ERR_ALGORITHM_NOT_ALLOWED
 */
export function importSigningKey(pkcs8: Uint8Array): SigningKey {
  return asParseError(
    'ERR_KEY_INVALID',
    'not a private key that Trellis reads (unencrypted PKCS#8 DER)',
    () => {
      if (pkcs8.length > maxPkcs8Bytes)
        throw new CryptoError('ERR_KEY_INVALID', `a private key longer than ${maxPkcs8Bytes} bytes`);
      // OpenSSL ignores bytes after the structure.
      readOnly(pkcs8, tag.sequence, 'PKCS#8 private key');
      const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
      const publicKey = createPublicKey(privateKey);
      const algorithm = algorithmOf(publicKey);
      refuseVerifyOnly(algorithm);
      if (signatureAlgorithms[algorithm].seedBytes !== undefined) exportSeed(privateKey);
      const key: SigningKey = { algorithm, privateKey, publicKey };
      checkPair(key);
      return key;
    },
  );
}

/**
 * The key as unencrypted PKCS#8 DER. ML-DSA: the seed-only form of RFC 9881 §6, 54 bytes, the only one BoringSSL (hence
 * Envoy) reads; written here because Node versions differ in what their own export yields.
 */
export function exportPkcs8(key: SigningKey): Buffer {
  const info = signatureAlgorithms[key.algorithm];
  if (info.seedBytes === undefined) return key.privateKey.export({ format: 'der', type: 'pkcs8' });
  const seedOnly = implicitPrimitive(0, exportSeed(key.privateKey));
  return sequence(smallInteger(0), sequence(oid(info.oid)), octetString(seedOnly));
}

/** The key's SubjectPublicKeyInfo, DER. */
export function spkiDer(key: SigningKey): Buffer {
  return key.publicKey.export({ format: 'der', type: 'spki' });
}

/** Pure, hedged ML-DSA with an empty context (FIPS 204 §5.2), or ECDSA over the algorithm's hash as a DER SEQUENCE. */
export function signBytes(key: SigningKey, data: Uint8Array): Buffer {
  return sign(signatureAlgorithms[key.algorithm].hash, data, key.privateKey);
}

/**
 * True when the signature is valid. A signature of a wrong length, or in a non-DER form, is just not valid.
 * @throws CryptoError ERR_ALGORITHM_UNKNOWN when the key is of no algorithm of the table
 */
export function verifyBytes(publicKey: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const info = signatureAlgorithms[algorithmOf(publicKey)];
  if (signature.length > info.signatureBytes) return false;
  return verify(info.hash, data, publicKey, signature);
}

/** The algorithm a public key belongs to. @throws CryptoError ERR_ALGORITHM_UNKNOWN */
export function algorithmOf(publicKey: KeyObject): SignatureAlgorithm {
  const type = publicKey.asymmetricKeyType;
  const curve = publicKey.asymmetricKeyDetails?.namedCurve;
  for (const [name, info] of Object.entries(signatureAlgorithms) as [
    SignatureAlgorithm,
    (typeof signatureAlgorithms)[SignatureAlgorithm],
  ][]) {
    const wanted = info.nodeKeyType;
    if (typeof wanted === 'string' ? type === wanted : type === 'ec' && curve === wanted.namedCurve)
      return name;
  }
  throw new CryptoError(
    'ERR_ALGORITHM_UNKNOWN',
    `no algorithm of Trellis has keys of type ${type}${curve === undefined ? '' : ` on ${curve}`}`,
  );
}

/** An EC private key carries its public half (RFC 5915 §3), and OpenSSL believes what it says. */
function checkPair(key: SigningKey): void {
  const probe = Buffer.from('trellis pairwise consistency');
  if (!verifyBytes(key.publicKey, probe, signBytes(key, probe)))
    throw new CryptoError('ERR_KEY_INVALID', 'the two halves of the key do not belong together');
}

function exportSeed(privateKey: KeyObject): Buffer {
  try {
    return privateKey.export({ format: 'raw-seed' });
  } catch (error) {
    throw new CryptoError(
      'ERR_KEY_INVALID',
      'the ML-DSA key has no seed; export it in the seed-only form of RFC 9881 §6',
      error,
    );
  }
}

function refuseVerifyOnly(algorithm: SignatureAlgorithm): asserts algorithm is IssuingAlgorithm {
  if (!signatureAlgorithms[algorithm].mayIssue) {
    throw new CryptoError(
      'ERR_ALGORITHM_NOT_ALLOWED',
      `${algorithm} is for verifying only; use ML-DSA-65 or ML-DSA-87`,
    );
  }
}
