// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) for the keys of the algorithm table.

import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  type SignatureAlgorithm,
  signatureAlgorithmByKey,
  signatureAlgorithmByOid,
  signatureAlgorithms,
} from './algorithms.ts';
import { type DerElement, DerReader, inside, readBitString, readOid, readOnly } from './der/read.ts';
import { tag } from './der/tags.ts';
import { bitString, oid, sequence } from './der/write.ts';
import { asParseError, CryptoError } from './errors.ts';

/** Above the largest key of the table (ML-DSA-87: 2,616 bytes). */
const maxSpkiBytes = 4096;
/** RFC 5480 §2.2: uncompressed points; Trellis reads no other form, so that one key has one encoding. */
const uncompressedPoint = 0x04;

export interface PublicKeyInfo {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: KeyObject;
  /** The contents of the BIT STRING subjectPublicKey: what key identifiers hash. */
  readonly keyBits: Buffer;
}

/**
 * Reads a DER SubjectPublicKeyInfo strictly: an algorithm of the table, ML-DSA without parameters (RFC 9881 §2), ECDSA
 * with a named curve, and a key of exactly the right length that OpenSSL accepts too.
 * @throws CryptoError ERR_KEY_INVALID, ERR_ALGORITHM_UNKNOWN
 */
export function parseSpki(der: Uint8Array): PublicKeyInfo {
  return asParseError('ERR_KEY_INVALID', 'not a public key that Trellis reads', () => {
    if (der.length > maxSpkiBytes)
      throw new CryptoError('ERR_KEY_INVALID', `a public key longer than ${maxSpkiBytes} bytes`);
    const fields = inside(readOnly(der, tag.sequence, 'SubjectPublicKeyInfo'));
    const algorithm = readKeyAlgorithm(fields.next(tag.sequence, 'key algorithm'));
    const keyBits = readBitString(fields.next(tag.bitString, 'public key'), 'public key');
    fields.end('SubjectPublicKeyInfo');
    const info = signatureAlgorithms[algorithm];
    if (
      keyBits.length !== info.publicKeyBytes ||
      (info.curveOid !== undefined && keyBits[0] !== uncompressedPoint)
    ) {
      throw new CryptoError('ERR_KEY_INVALID', `not a ${algorithm} public key: wrong length or form`);
    }
    return {
      algorithm,
      keyBits,
      publicKey: createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }),
    };
  });
}

/** The DER SubjectPublicKeyInfo around the raw contents of a public key. */
export function encodeSpki(algorithm: SignatureAlgorithm, keyBits: Uint8Array): Buffer {
  const { keyOid, curveOid } = signatureAlgorithms[algorithm];
  const parameters = curveOid === undefined ? [] : [oid(curveOid)];
  return sequence(sequence(oid(keyOid), ...parameters), bitString(keyBits));
}

/** The AlgorithmIdentifier of a signature: parameters are absent for ML-DSA (RFC 9881 §2) and for ECDSA (RFC 5758 §3.2). */
export function encodeSignatureAlgorithm(algorithm: SignatureAlgorithm): Buffer {
  return sequence(oid(signatureAlgorithms[algorithm].oid));
}

/** @throws CryptoError ERR_DER, ERR_ALGORITHM_UNKNOWN */
export function readSignatureAlgorithm(element: DerElement): SignatureAlgorithm {
  const fields = new DerReader(element.content);
  const dotted = readOid(fields.next(tag.oid, 'signature algorithm'));
  fields.end('signature algorithm (its parameters must be absent)');
  const algorithm = signatureAlgorithmByOid(dotted);
  if (algorithm === undefined)
    throw new CryptoError('ERR_ALGORITHM_UNKNOWN', `unknown signature algorithm ${dotted}`);
  return algorithm;
}

function readKeyAlgorithm(element: DerElement): SignatureAlgorithm {
  const fields = inside(element);
  const keyOid = readOid(fields.next(tag.oid, 'key algorithm'));
  const curve = fields.optional(tag.oid, 'curve');
  fields.end('key algorithm parameters');
  const curveOid = curve === undefined ? undefined : readOid(curve);
  const algorithm = signatureAlgorithmByKey(keyOid, curveOid);
  if (algorithm === undefined) {
    throw new CryptoError(
      'ERR_ALGORITHM_UNKNOWN',
      `unknown public key algorithm ${[keyOid, curveOid].filter(Boolean).join(' on curve ')}`,
    );
  }
  return algorithm;
}
