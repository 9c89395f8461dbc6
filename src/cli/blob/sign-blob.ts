// `trellis sign-blob`.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { signBlob } from '../../signing/blob.ts';
import { publicMode, writeNewFiles } from '../../signing/keys/files.ts';
import { CliError } from '../errors.ts';
import { warnVia } from '../keys/key-files.ts';
import { print } from '../output.ts';
import { signingOf } from '../signing/signing-parties.ts';
import { blobDigest, bundleName, standardStream } from './blob-files.ts';

export interface SignBlobOptions {
  readonly key: readonly string[];
  readonly passwordFile?: string;
  readonly outPrefix?: string;
  readonly json?: true;
}

/** @throws CliError, SigningError; the file system's own errors */
export async function runSignBlob(file: string, options: SignBlobOptions, command: Command): Promise<void> {
  const prefix = options.outPrefix ?? file;
  if (prefix === standardStream) {
    throw new CliError('ERR_USAGE', 'standard input has no name for its bundles', {
      hint: 'give --out-prefix',
    });
  }
  // No two are of one algorithm, by which their bundles are named.
  const { parties, warnings } = await signingOf(options);
  const warn = warnVia(command);
  for (const warning of warnings) warn(`trellis: warning: ${warning}`);
  const digest = await blobDigest(file);
  const signed = await signBlob({ digest, parties, now: new Date(), randomBytes });
  const bundles = signed.map(({ publicKey, bundle }) => ({
    path: bundleName(prefix, publicKey.algorithm),
    algorithm: publicKey.algorithm,
    spkiSha256: publicKey.spkiSha256,
    content: bundle.toString('utf8'),
  }));
  await writeNewFiles(bundles.map(({ path, content }) => ({ path, content, mode: publicMode })));
  if (options.json) {
    const list = bundles.map(({ content: _, ...each }) => each);
    print(command, JSON.stringify({ file, digest, bundles: list }, undefined, 2));
    return;
  }
  print(command, `signed  ${file}  ${digest}`);
  for (const { path, algorithm, spkiSha256 } of bundles)
    print(command, `${path}  by the ${algorithm} key ${spkiSha256}`);
}
