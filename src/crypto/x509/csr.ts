// PKCS#10 requests (RFC 2986). They carry a public key and the proof that the sender has its private half, nothing
// else: who the sender is, the control plane knows by other means.

import type { KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from '../algorithms.ts';
import { inside, readBitString, readOnly, readSmallInteger } from '../der/read.ts';
import { contextConstructed, tag } from '../der/tags.ts';
import { bitString, sequence, smallInteger, tlv } from '../der/write.ts';
import { asParseError, CryptoError } from '../errors.ts';
import { type SigningKey, signBytes, spkiDer, verifyBytes } from '../keys.ts';
import { encodeSignatureAlgorithm, parseSpki, readSignatureAlgorithm } from '../spki.ts';
import { emptyName } from './name.ts';

/** An ML-DSA-87 request without attributes has about 7.3 KB. */
export const maxCsrBytes = 16 * 1024;
const attributesTag = contextConstructed(0);

export interface CertificateRequest {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly key: KeyObject;
  readonly algorithm: SignatureAlgorithm;
}

/** A request for the key, DER: empty subject, no attributes. */
export function createCsr(key: SigningKey): Buffer {
  const info = sequence(smallInteger(0), emptyName, spkiDer(key), tlv(attributesTag));
  return sequence(info, encodeSignatureAlgorithm(key.algorithm), bitString(signBytes(key, info)));
}

/**
 * Reads a request and verifies that it is signed by the key it holds. Subject and attributes are ignored.
 * @throws CryptoError ERR_CSR_PARSE, ERR_CSR_BAD_SIGNATURE, ERR_ALGORITHM_UNKNOWN, ERR_KEY_INVALID
 */
export function parseCsr(der: Uint8Array): CertificateRequest {
  return asParseError('ERR_CSR_PARSE', 'not a certificate request that Trellis reads (PKCS#10 DER)', () => {
    if (der.length > maxCsrBytes)
      throw new CryptoError('ERR_CSR_PARSE', `a request longer than ${maxCsrBytes} bytes`);
    const parts = inside(readOnly(Buffer.from(der), tag.sequence, 'request'));
    const info = parts.next(tag.sequence, 'CertificationRequestInfo');
    const signatureAlgorithm = readSignatureAlgorithm(parts.next(tag.sequence, 'signatureAlgorithm'));
    const signature = readBitString(parts.next(tag.bitString, 'signature'), 'signature');
    parts.end('request');

    const fields = inside(info);
    if (readSmallInteger(fields.next(tag.integer, 'version'), 'version') !== 0) {
      throw new CryptoError('ERR_CSR_PARSE', 'not a PKCS#10 version 1 request');
    }
    fields.next(tag.sequence, 'subject');
    const publicKey = fields.next(tag.sequence, 'subjectPKInfo').raw;
    fields.next(attributesTag, 'attributes');
    fields.end('CertificationRequestInfo');

    const { algorithm, publicKey: key } = parseSpki(publicKey);
    if (signatureAlgorithm !== algorithm || !verifyBytes(key, info.raw, signature)) {
      throw new CryptoError(
        'ERR_CSR_BAD_SIGNATURE',
        'the request is not signed by the key it asks a certificate for',
      );
    }
    return { publicKey, key, algorithm };
  });
}
