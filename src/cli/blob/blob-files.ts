// Files that are signed, and the bundles beside them.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { SignatureAlgorithm } from '../../crypto/algorithms.ts';
import { type Digest, parseDigest } from '../../registry/digest.ts';
import { algorithmSlugs } from '../../signing/keys/files.ts';
import { namingFile } from '../named-file.ts';

export const standardStream = '-';

/** The file may be of any size: it is read once, and never held. @throws CliError ERR_USAGE */
export async function blobDigest(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  const content = path === standardStream ? process.stdin : createReadStream(path);
  await namingFile('the file', path, () => pipeline(content, hash));
  return parseDigest(`sha256:${hash.digest('hex')}`);
}

/** `app.tar.gz.mldsa65.sigstore.json` */
export function bundleName(prefix: string, algorithm: SignatureAlgorithm): string {
  return `${prefix}.${algorithmSlugs[algorithm]}.sigstore.json`;
}
