// What commands about keys have in common: the files of a pair, and what is said about them.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { type SigningKey, spkiDer } from '../../crypto/keys.ts';
import { keyFileNames, type NewFile, privateMode, publicMode } from '../../signing/keys/files.ts';
import { encryptKeyFile } from '../../signing/keys/key-file.ts';
import { type PublicKey, publicKeyFromSpki, publicKeyPem } from '../../signing/keys/public-key.ts';
import { print } from '../output.ts';

/** The encrypted private key and the public key of a pair, to be written. */
export async function keyFiles(
  key: SigningKey,
  prefix: string,
  password: string,
): Promise<{ readonly publicKey: PublicKey; readonly files: readonly [NewFile, NewFile] }> {
  const names = keyFileNames(prefix, key.algorithm);
  const publicKey = publicKeyFromSpki(spkiDer(key));
  const sealed = await encryptKeyFile(key, password, randomBytes);
  return {
    publicKey,
    files: [
      { path: names.privateKey, content: sealed, mode: privateMode },
      { path: names.publicKey, content: publicKeyPem(publicKey), mode: publicMode },
    ],
  };
}

interface KeyReport {
  readonly algorithm: string;
  readonly spkiSha256: string;
  readonly publicKey: string;
  readonly privateKey?: string;
  readonly kms?: string;
  /** The service's full name of the key. */
  readonly name?: string;
  readonly created?: boolean;
}

export function described({ algorithm, spkiSha256 }: PublicKey): { algorithm: string; spkiSha256: string } {
  return { algorithm, spkiSha256 };
}

/** Tells what there is now; `--json` gives the same in one document. */
export function printKeys(command: Command, json: true | undefined, keys: readonly KeyReport[]): void {
  if (json) {
    print(command, JSON.stringify({ keys }, undefined, 2));
    return;
  }
  for (const key of keys) {
    if (key.privateKey !== undefined)
      print(command, `${key.privateKey}  private key of ${key.algorithm}, encrypted`);
    if (key.name !== undefined) print(command, `${key.created ? 'created' : 'found'} ${key.name}`);
    print(command, `${key.publicKey}  public key of ${key.algorithm}, SHA-256 ${key.spkiSha256}`);
  }
}

export function warnVia(command: Command): (line: string) => void {
  return (line) => command.configureOutput().writeErr?.(`${line}\n`);
}
