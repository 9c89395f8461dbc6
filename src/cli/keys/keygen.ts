// `trellis keygen`: pairs of files, or a key in a key management service.

import { lstat, readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import { generateSigningKey } from '../../crypto/keys.ts';
import { SigningError } from '../../signing/errors.ts';
import { fileExistsError, keyFileNames, publicMode, writeNewFiles } from '../../signing/keys/files.ts';
import { publicKeyPem } from '../../signing/keys/public-key.ts';
import { provideKmsKey } from '../../signing/kms/open.ts';
import { CliError } from '../errors.ts';
import { passwordSource } from '../password.ts';
import { described, keyFiles, printKeys, warnVia } from './key-files.ts';

export interface KeygenOptions {
  readonly outPrefix: string;
  readonly algorithm?: readonly IssuingAlgorithm[];
  readonly kms?: string;
  readonly passwordFile?: string;
  readonly json?: true;
}

/** One half for each assumption: breaking either algorithm alone forges nothing. */
const defaultAlgorithms: readonly IssuingAlgorithm[] = ['ML-DSA-65', 'ECDSA-P256'];

/** @throws CliError, SigningError; the file system's own errors */
export async function keygen(options: KeygenOptions, command: Command): Promise<void> {
  const algorithms = options.algorithm ?? defaultAlgorithms;
  if (new Set(algorithms).size < algorithms.length) {
    throw new CliError('ERR_USAGE', 'an algorithm is given twice', {
      hint: 'one run makes one key of each; make more with another --out-prefix',
    });
  }
  if (options.kms !== undefined) await runKms(options.kms, options, command);
  else await runLocal(algorithms, options, command);
}

async function runLocal(
  algorithms: readonly IssuingAlgorithm[],
  { outPrefix, passwordFile, json }: KeygenOptions,
  command: Command,
): Promise<void> {
  // Before anyone is asked for a password; the exclusive write decides.
  await refuseExisting(algorithms.flatMap((each) => Object.values(keyFileNames(outPrefix, each))));
  const password = await passwordSource({ file: passwordFile, confirm: true, warn: warnVia(command) })();
  const made = await Promise.all(
    algorithms.map((algorithm) => keyFiles(generateSigningKey(algorithm), outPrefix, password)),
  );
  await writeNewFiles(made.flatMap(({ files }) => files));
  printKeys(
    command,
    json,
    made.map(({ publicKey, files: [privateFile, publicFile] }) => ({
      ...described(publicKey),
      privateKey: privateFile.path,
      publicKey: publicFile.path,
    })),
  );
}

async function runKms(
  uri: string,
  { algorithm, outPrefix, passwordFile, json }: KeygenOptions,
  command: Command,
): Promise<void> {
  if (passwordFile !== undefined || (algorithm !== undefined && algorithm.length > 1)) {
    throw new CliError('ERR_USAGE', 'a key in a service is one key, and has no password', {
      hint: 'with --kms give at most one --algorithm and no --password-file',
    });
  }
  const { publicKey, name, created } = await provideKmsKey(uri, algorithm?.[0], { env: process.env });
  const path = keyFileNames(outPrefix, publicKey.algorithm).publicKey;
  const content = publicKeyPem(publicKey);
  try {
    await writeNewFiles([{ path, content, mode: publicMode }]);
  } catch (error) {
    // The same command again: what it would write is there.
    const same = error instanceof SigningError && (await readFile(path, 'utf8').catch(() => '')) === content;
    if (!same) throw error;
  }
  printKeys(command, json, [{ ...described(publicKey), kms: uri, name, created, publicKey: path }]);
}

/** @throws SigningError ERR_KEY_FILE_EXISTS */
async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const exists = await lstat(path).then(
      () => true,
      () => false,
    );
    if (exists) throw fileExistsError(path);
  }
}
