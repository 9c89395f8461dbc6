// Private keys at rest, in cosign's format: PKCS#8 in a NaCl secretbox under a key that scrypt makes of a password,
// described by JSON, in PEM. Node's own encrypted PKCS#8 fixes 2,048 rounds of PBKDF2, too few for a file that leaks.

import { scrypt } from 'node:crypto';
import { secretbox } from '@noble/ciphers/salsa.js';
import { signatureAlgorithms } from '../../crypto/algorithms.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { exportPkcs8, importSigningKey, type SigningKey } from '../../crypto/keys.ts';
import { fromPemOne, toPem } from '../../crypto/pem.ts';
import { SigningError } from '../errors.ts';
import {
  encodeSealedKey,
  keyFileError,
  parseSealedKey,
  type SealedKey,
  saltBytes,
  scryptBlockSize,
  scryptParallelization,
  secretboxNonceBytes,
} from './sealed-key.ts';

/** What cosign writes since its version 2; the older label means the same format. */
const sigstoreLabel = 'ENCRYPTED SIGSTORE PRIVATE KEY';
const labels: readonly string[] = [sigstoreLabel, 'ENCRYPTED COSIGN PRIVATE KEY'];

/** The largest key file is that of an expanded ML-DSA-87 key in Base64 twice, 9 KB; explanatory text may stand before it. */
const maxKeyFileBytes = 64 * 1024;

/** As cosign writes: 64 MiB of memory for each guess. */
const writtenCost = 65_536;
const boxKeyBytes = 32;
/** OpenSSL wants a little above scrypt's own 128·N·r bytes (RFC 7914 §2). */
const scryptOverheadBytes = 1024 * 1024;

/**
 * The key as a PEM file under a password. ML-DSA keys are stored as their seed.
 * @param random gives that many unpredictable bytes
 */
export async function encryptKeyFile(
  key: SigningKey,
  password: string,
  random: (length: number) => Uint8Array,
): Promise<string> {
  const salt = random(saltBytes);
  const nonce = random(secretboxNonceBytes);
  const boxKey = await deriveKey(password, salt, writtenCost);
  const ciphertext = secretbox(boxKey, nonce).seal(exportPkcs8(key));
  return toPem(sigstoreLabel, encodeSealedKey({ cost: writtenCost, salt, nonce, ciphertext }));
}

/**
 * Opens a key file that trellis or cosign wrote. Costs at most 128 MiB and the time of one scrypt, whatever the file says.
 * @throws SigningError ERR_KEY_FILE_INVALID, ERR_KEY_FILE_PASSWORD
 */
export async function decryptKeyFile(pem: string, password: string): Promise<SigningKey> {
  const sealed = readSealedKey(pem);
  const boxKey = await deriveKey(password, sealed.salt, sealed.cost);
  const pkcs8 = openBox(sealed, boxKey);
  try {
    return importSigningKey(pkcs8);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw keyFileError(`the password is right, but ${error.message}; ${usableKeys()}`, error);
  }
}

/** True for a text that holds a key file of this format, readable or not. */
export function isKeyFile(pem: string): boolean {
  return labels.some((label) => pem.includes(beginLine(label)));
}

function readSealedKey(pem: string): SealedKey {
  if (pem.length > maxKeyFileBytes) throw keyFileError(`it is longer than ${maxKeyFileBytes} bytes`);
  const label = labels.find((each) => pem.includes(beginLine(each)));
  if (label === undefined) throw keyFileError(whatElse(pem));
  try {
    return parseSealedKey(fromPemOne(pem, label));
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw keyFileError(error.message, error);
  }
}

/** What people give by mistake, and what to do with it. */
function whatElse(pem: string): string {
  if (pem.includes(beginLine('PUBLIC KEY'))) return 'it is a public key: give the .key file beside it';
  if (pem.includes(beginLine('PRIVATE KEY')) || pem.includes(beginLine('EC PRIVATE KEY')))
    return 'it is a private key without a password: run trellis key import to make a key file of it';
  if (pem.includes(beginLine('ENCRYPTED PRIVATE KEY')))
    return 'it is encrypted as PKCS#8: decrypt it with openssl pkey, then run trellis key import';
  return `it holds no "${sigstoreLabel}" block: give a file of trellis keygen or cosign generate-key-pair`;
}

function beginLine(label: string): string {
  return `-----BEGIN ${label}-----`;
}

function openBox({ nonce, ciphertext }: SealedKey, boxKey: Uint8Array): Uint8Array {
  try {
    return secretbox(boxKey, nonce).open(ciphertext);
  } catch (error) {
    throw new SigningError(
      'ERR_KEY_FILE_PASSWORD',
      'the password does not open this key file (or the file was changed): give the password it was made with',
      error,
    );
  }
}

function deriveKey(password: string, salt: Uint8Array, cost: number): Promise<Buffer> {
  const options = {
    cost,
    blockSize: scryptBlockSize,
    parallelization: scryptParallelization,
    maxmem: 128 * cost * scryptBlockSize + scryptOverheadBytes,
  };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, boxKeyBytes, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

function usableKeys(): string {
  const names = Object.entries(signatureAlgorithms).flatMap(([name, { mayIssue }]) =>
    mayIssue ? [name] : [],
  );
  return `Trellis signs with ${names.join(', ')}`;
}
