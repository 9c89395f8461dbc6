// Compiled code, kept between runs: reading and compiling a thousand modules takes longer than most commands do.

import { mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from './tools/cache.ts';

const othersMayWrite = 0o022;
const privateMode = 0o700;

/**
 * Lets Node.js keep compiled code in a directory of this user's, and only there: what is in it runs as if it were ours, so
 * Node's own default below the directory for temporary files, which anyone may have made before, will not do. Without such a directory
 * everything works, more slowly.
 * @returns the directory that is used
 */
export function keepCompiledCode(
  env: NodeJS.ProcessEnv,
  enable: (directory: string) => unknown = enableCompileCache,
): string | undefined {
  try {
    const directory = join(cacheDirectory(env), 'compiled');
    mkdirSync(directory, { recursive: true, mode: privateMode });
    const { uid, mode } = statSync(directory);
    if (uid !== process.getuid?.() || (mode & othersMayWrite) !== 0) return undefined;
    enable(directory);
    return directory;
  } catch {
    // A disk that is full or read-only, a home that is none: no reason to fail.
    return undefined;
  }
}
