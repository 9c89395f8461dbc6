// The JSON inside cosign's key files: how the password becomes a key, and the box that this key opens.

import { RegistryError } from '../../registry/errors.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { SigningError } from '../errors.ts';

export const saltBytes = 32;
export const secretboxNonceBytes = 24;
/** Poly1305's. */
const tagBytes = 16;
/** Above the largest PKCS#8 form there is: ML-DSA-87 with seed and expanded key, 4,974 bytes. */
const maxCiphertextBytes = 8192 + tagBytes;
const jsonLimits = { maxBytes: 32 * 1024, maxDepth: 3 };

/**
 * The scrypt costs that cosign ever wrote, all with r = 8 and p = 1: 32, 64 and 128 MiB. Any other is refused before it
 * is tried: the file itself says what opening it costs, and whoever can change it could ask for gigabytes.
 */
const acceptedCosts: readonly unknown[] = [32_768, 65_536, 131_072];
const kdfName = 'scrypt';
const cipherName = 'nacl/secretbox';
export const scryptBlockSize = 8;
export const scryptParallelization = 1;

export interface SealedKey {
  /** scrypt's N. */
  readonly cost: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  /** Poly1305's tag and the encrypted PKCS#8. */
  readonly ciphertext: Uint8Array;
}

/** Names, order and spacing as cosign writes them. */
export function encodeSealedKey({ cost, salt, nonce, ciphertext }: SealedKey): Buffer {
  const params = { N: cost, r: scryptBlockSize, p: scryptParallelization };
  const document = {
    kdf: { name: kdfName, params, salt: encodeBase64(salt) },
    cipher: { name: cipherName, nonce: encodeBase64(nonce) },
    ciphertext: encodeBase64(ciphertext),
  };
  return Buffer.from(JSON.stringify(document));
}

/** @throws SigningError ERR_KEY_FILE_INVALID */
export function parseSealedKey(bytes: Uint8Array): SealedKey {
  const document = members(readJson(bytes), 'the document', ['kdf', 'cipher', 'ciphertext']);
  const kdf = members(document['kdf'], 'kdf', ['name', 'params', 'salt']);
  const params = members(kdf['params'], 'kdf.params', ['N', 'r', 'p']);
  const cipher = members(document['cipher'], 'cipher', ['name', 'nonce']);
  if (kdf['name'] !== kdfName || cipher['name'] !== cipherName)
    throw keyFileError(`it is not encrypted with ${kdfName} and ${cipherName}`);
  const { N: cost, r, p } = params;
  if (!acceptedCosts.includes(cost) || r !== scryptBlockSize || p !== scryptParallelization) {
    throw keyFileError(
      `it asks for other scrypt parameters than cosign's (N ${acceptedCosts.join(', ')}; r 8; p 1), which could cost any amount of memory and time`,
    );
  }
  const ciphertext = base64(document['ciphertext'], 'ciphertext');
  if (ciphertext.length <= tagBytes || ciphertext.length > maxCiphertextBytes)
    throw keyFileError(`its ciphertext has ${ciphertext.length} bytes, which no key has`);
  return {
    cost: Number(cost),
    salt: base64(kdf['salt'], 'kdf.salt', saltBytes),
    nonce: base64(cipher['nonce'], 'cipher.nonce', secretboxNonceBytes),
    ciphertext,
  };
}

export function keyFileError(why: string, cause?: unknown): SigningError {
  return new SigningError('ERR_KEY_FILE_INVALID', `not a private key file that Trellis reads: ${why}`, cause);
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes, jsonLimits);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw keyFileError(`its content is ${error.message}`, error);
  }
}

/** An object with exactly these members: what is not understood may change what the rest means. */
function members(value: unknown, what: string, names: readonly string[]): JsonObject {
  const given = isJsonObject(value) ? Object.keys(value) : [];
  if (!isJsonObject(value) || given.length !== names.length || !names.every((name) => given.includes(name)))
    throw keyFileError(`${what} does not have exactly the members ${names.join(', ')}`);
  return value;
}

function base64(value: unknown, what: string, length?: number): Buffer {
  if (typeof value !== 'string') throw keyFileError(`${what} is not text`);
  const bytes = strictBase64(value, what);
  if (length !== undefined && bytes.length !== length)
    throw keyFileError(`${what} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

function strictBase64(text: string, what: string): Buffer {
  try {
    return decodeBase64(text, what);
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    throw keyFileError(`${what} is not canonical base64`, error);
  }
}
