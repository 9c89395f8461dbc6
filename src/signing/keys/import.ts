// Private keys of other tools, on their way into a key file.

import { createPrivateKey } from 'node:crypto';
import { readOnly } from '../../crypto/der/read.ts';
import { tag } from '../../crypto/der/tags.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { exportPkcs8, importSigningKey, type SigningKey } from '../../crypto/keys.ts';
import { fromPemOne, toPem } from '../../crypto/pem.ts';
import { SigningError } from '../errors.ts';
import { decryptKeyFile, isKeyFile } from './key-file.ts';

const pkcs8Label = 'PRIVATE KEY';
const sec1Label = 'EC PRIVATE KEY';

/**
 * The key in a PEM text: PKCS#8 (RFC 5958) or SEC 1 (RFC 5915), both unencrypted, or a key file of cosign or trellis.
 * @param password asked only for a key file
 * @throws SigningError ERR_KEY_FILE_INVALID, ERR_KEY_FILE_PASSWORD
 */
export async function importPrivateKey(pem: string, password: () => Promise<string>): Promise<SigningKey> {
  if (isKeyFile(pem)) return await decryptKeyFile(pem, await password());
  try {
    return pem.includes(`-----BEGIN ${sec1Label}-----`)
      ? importSigningKey(sec1ToPkcs8(fromPemOne(pem, sec1Label)))
      : importSigningKey(fromPemOne(pem, pkcs8Label));
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new SigningError(
      'ERR_KEY_FILE_INVALID',
      `${error.message}; give one PEM block, "${pkcs8Label}" (openssl pkcs8 -topk8 -nocrypt makes one of other forms) or a key file of cosign`,
      error,
    );
  }
}

/** The key without a password: PEM of PKCS#8, for ML-DSA the seed-only form of RFC 9881 §6. */
export function exportPrivateKeyPem(key: SigningKey): string {
  return toPem(pkcs8Label, exportPkcs8(key));
}

function sec1ToPkcs8(der: Buffer): Buffer {
  // OpenSSL ignores bytes after the structure.
  readOnly(der, tag.sequence, 'EC private key');
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'sec1' }).export({
      format: 'der',
      type: 'pkcs8',
    });
  } catch (error) {
    throw new CryptoError('ERR_KEY_INVALID', 'not an EC private key that names its curve', error);
  }
}
