// From `--key` to keys.

import { SigningError } from '../../signing/errors.ts';
import { openPublicKey, openSigner } from '../../signing/keys/load.ts';
import type { PublicKey } from '../../signing/keys/public-key.ts';
import type { Signer } from '../../signing/keys/signer.ts';
import { openKmsPublicKey } from '../../signing/kms/open.ts';
import { CliError } from '../errors.ts';
import { namingFile } from '../named-file.ts';
import { passwordSource } from '../password.ts';

export interface SignerOptions {
  readonly key: readonly string[];
  readonly passwordFile?: string;
}

/** The signers, in the order given. The password is asked for once. */
export async function signersOf({ key, passwordFile }: SignerOptions): Promise<readonly Signer[]> {
  const password = passwordSource({ file: passwordFile, confirm: false });
  const signers: Signer[] = [];
  // One after the other: two prompts at once would be a puzzle.
  for (const each of key) {
    signers.push(await namingKey(each, () => openSigner(each, { env: process.env, password })));
  }
  refuseTwins(
    signers.map(({ publicKey }) => publicKey),
    key,
  );
  return signers;
}

export async function publicKeysOf(keys: readonly string[]): Promise<readonly PublicKey[]> {
  const opened = keys.map((each) => namingKey(each, () => openPublicKey(each, { env: process.env })));
  const publicKeys = await Promise.all(opened);
  refuseTwins(publicKeys, keys);
  return publicKeys;
}

/** One of several keys: whatever is wrong with it, the message says with which. */
async function namingKey<T>(key: string, open: () => Promise<T>): Promise<T> {
  try {
    return await namingFile('the key', key, open);
  } catch (error) {
    if (!(error instanceof SigningError) || error.message.includes(key)) throw error;
    throw new SigningError(error.code, `${key}: ${error.message}`, error);
  }
}

export function kmsPublicKey(uri: string, signal?: AbortSignal): Promise<PublicKey> {
  return openKmsPublicKey(uri, { env: process.env }, signal);
}

/** A key that is given twice would look like two signatures. */
function refuseTwins(keys: readonly PublicKey[], names: readonly string[]): void {
  for (const [index, { spkiSha256 }] of keys.entries()) {
    const before = keys.findIndex((each) => each.spkiSha256 === spkiSha256);
    if (before !== index) {
      throw new CliError('ERR_USAGE', `${names[index]} is the same key as ${names[before]}`, {
        hint: 'give each key once',
      });
    }
  }
}
