// `trellis verify-blob`.

import type { Command } from 'commander';
import { maxBlobBundleBytes, verifyBlob } from '../../signing/blob.ts';
import { CliError } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';
import { print } from '../output.ts';
import { publicKeysOf } from '../signing/keys.ts';
import { blobDigest, bundleName, standardStream } from './blob-files.ts';

export interface VerifyBlobOptions {
  readonly key: readonly string[];
  readonly bundle?: readonly string[];
  readonly json?: true;
}

/** @throws CliError: ERR_CHECK_FAILED when the file is not verified */
export async function runVerifyBlob(
  file: string,
  options: VerifyBlobOptions,
  command: Command,
): Promise<void> {
  const keys = await publicKeysOf(options.key);
  if (keys.length === 0) {
    throw new CliError('ERR_USAGE', 'nothing to verify with', { hint: 'give --key once for each key' });
  }
  if (file === standardStream && options.bundle === undefined) {
    throw new CliError('ERR_USAGE', 'standard input has no name to find bundles by', {
      hint: 'give --bundle',
    });
  }
  const paths = options.bundle ?? keys.map(({ algorithm }) => bundleName(file, algorithm));
  const bundles = await Promise.all(
    paths.map((path) => readNamedFile('the bundle', path, maxBlobBundleBytes)),
  );
  const digest = await blobDigest(file);
  const { ok, reasons, signedAt } = verifyBlob({ digest, keys, bundles });
  const signers = keys.map(({ algorithm, spkiSha256 }) => ({ algorithm, spkiSha256 }));
  if (options.json)
    print(
      command,
      JSON.stringify({ file, ok, digest, signers, signedAt, bundles: paths, reasons }, undefined, 2),
    );
  if (!ok) throw new CliError('ERR_CHECK_FAILED', `${file} is not verified: ${reasons.join('; ')}`);
  if (options.json) return;
  print(command, `verified  ${file}  ${digest}`);
  for (const { algorithm, spkiSha256 } of signers)
    print(command, `signed by the ${algorithm} key ${spkiSha256}`);
}
