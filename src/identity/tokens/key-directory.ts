// The keys that sign tokens, beside the root in the CA's directory:
//
//   <dir>/tokens/workload-token-key.pem   ML-DSA key of workload tokens
//   <dir>/tokens/jwt-svid-key.pem         ECDSA key of JWT-SVIDs
//
// They are no part of the root: a CA from before there were tokens gets them when it is next opened.

import { exportPkcs8, generateSigningKey, importSigningKey, type SigningKey } from '../../crypto/keys.ts';
import { fromPemOne, toPem } from '../../crypto/pem.ts';
import { IdentityError } from '../errors.ts';
import { openPrivateSet } from '../private-set.ts';
import type { TokenSigningKeys } from './token-issuer.ts';
import { type TokenType, tokenAlgorithms } from './types.ts';

const label = 'PRIVATE KEY';

export interface TokenKeyDirectoryOptions {
  /** That of the CA. */
  readonly dir: string;
  readonly now: Date;
}

export interface OpenedTokenKeys {
  readonly keys: TokenSigningKeys;
  /** True when this call made them. */
  readonly created: boolean;
}

/**
 * Reads the token keys of a CA directory, or makes them when it has none. Of several processes that start at once, one makes
 * them and the others read them.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_TOKEN_KEYS_INCOMPLETE, ERR_TOKEN_KEYS_CORRUPT, ERR_STORAGE_FULL
 */
export async function openTokenKeys({ dir, now }: TokenKeyDirectoryOptions): Promise<OpenedTokenKeys> {
  const { path, files, created } = await openPrivateSet<TokenType>({
    dir,
    name: 'tokens',
    fileNames: { 'ML-DSA': 'workload-token-key.pem', 'JWT-SVID': 'jwt-svid-key.pem' },
    now,
    make: () => ({ 'ML-DSA': newKey('ML-DSA'), 'JWT-SVID': newKey('JWT-SVID') }),
    incomplete: (file, set) =>
      new IdentityError('ERR_TOKEN_KEYS_INCOMPLETE', `${file} is missing: ${remedy(set)}`),
    corrupt,
  });
  const read = (type: TokenType): SigningKey => readKey(type, files[type], path);
  return { keys: { 'ML-DSA': read('ML-DSA'), 'JWT-SVID': read('JWT-SVID') }, created };
}

function newKey(type: TokenType): string {
  return toPem(label, exportPkcs8(generateSigningKey(tokenAlgorithms[type])));
}

function readKey(type: TokenType, pem: string, set: string): SigningKey {
  const key = parseKey(type, pem, set);
  if (key.algorithm === tokenAlgorithms[type]) return key;
  throw corrupt(`the key of ${type} tokens is for ${key.algorithm}, not ${tokenAlgorithms[type]}`, set);
}

function parseKey(type: TokenType, pem: string, set: string): SigningKey {
  try {
    return importSigningKey(fromPemOne(pem, label));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw corrupt(`the key of ${type} tokens cannot be used: ${reason}`, set, error);
  }
}

function corrupt(reason: string, set: string, cause?: unknown): IdentityError {
  return new IdentityError('ERR_TOKEN_KEYS_CORRUPT', `${reason}: ${remedy(set)}`, { cause });
}

/** Unlike a root they can be replaced: nothing that they have signed lives longer than minutes. */
function remedy(set: string): string {
  return `restore both token keys from one backup, or move ${set} away to have new ones made. Tokens of the old ones are then refused`;
}
