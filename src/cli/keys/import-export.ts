// `trellis key import` and `trellis key export`.

import type { Command } from 'commander';
import { spkiDer } from '../../crypto/keys.ts';
import { privateMode, publicMode, readPrivateFile, writeNewFiles } from '../../signing/keys/files.ts';
import { exportPrivateKeyPem, importPrivateKey } from '../../signing/keys/import.ts';
import { isKeyFile } from '../../signing/keys/key-file.ts';
import { publicKeyFromSpki, publicKeyPem } from '../../signing/keys/public-key.ts';
import { isKmsUri } from '../../signing/kms/uri.ts';
import { CliError } from '../errors.ts';
import { namingFile } from '../named-file.ts';
import { passwordSource } from '../password.ts';
import { readSecret } from '../secret-input.ts';
import { described, keyFiles, printKeys, warnVia } from './key-files.ts';

/** Above any private key in PEM, and the text around it. */
const maxKeyTextBytes = 64 * 1024;
const standardStream = '-';

export interface ImportOptions {
  readonly outPrefix: string;
  readonly passwordFile?: string;
  readonly json?: true;
}

export interface ExportOptions {
  readonly out: string;
  readonly public?: true;
  readonly passwordFile?: string;
}

/** @throws CliError, SigningError; the file system's own errors */
export async function importKey(
  file: string,
  { outPrefix, passwordFile, json }: ImportOptions,
  command: Command,
): Promise<void> {
  if (file === standardStream && passwordFile === standardStream) {
    throw new CliError('ERR_USAGE', 'standard input holds the key or the password, not both', {
      hint: 'give one of them as a file',
    });
  }
  const pem = await readSecret(file, {
    what: 'the private key',
    maxBytes: maxKeyTextBytes,
    fault: 'ERR_USAGE',
  });
  // Nobody has to repeat a password that a key file already has: a wrong one does not open it.
  const password = passwordSource({ file: passwordFile, confirm: !isKeyFile(pem), warn: warnVia(command) });
  const key = await importPrivateKey(pem, password);
  const { publicKey, files } = await keyFiles(key, outPrefix, await password());
  await writeNewFiles(files);
  const [privateFile, publicFile] = files;
  const paths = { privateKey: privateFile.path, publicKey: publicFile.path };
  printKeys(command, json, [{ ...described(publicKey), ...paths }]);
}

/** @throws CliError, SigningError; the file system's own errors */
export async function exportKey(file: string, options: ExportOptions, command: Command): Promise<void> {
  if (isKmsUri(file)) {
    throw new CliError('ERR_USAGE', 'a key in a key management service never leaves it', {
      hint: `trellis keygen --kms ${file} writes its public key`,
    });
  }
  const warn = warnVia(command);
  const password = passwordSource({ file: options.passwordFile, confirm: false, warn });
  const key = await importPrivateKey(
    await namingFile('the private key', file, () => readPrivateFile(file)),
    password,
  );
  const content =
    options.public === true ? publicKeyPem(publicKeyFromSpki(spkiDer(key))) : exportPrivateKeyPem(key);
  if (options.out === standardStream) {
    command.configureOutput().writeOut?.(content);
    return;
  }
  const mode = options.public === true ? publicMode : privateMode;
  await writeNewFiles([{ path: options.out, content, mode }]);
  if (options.public !== true)
    warn(`${options.out} holds the private key without a password: whoever reads it can sign`);
}
