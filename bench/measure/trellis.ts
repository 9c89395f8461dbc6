// The command line as users run it, for preparing.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const launcher = new URL('../../bin/trellis.js', import.meta.url).pathname;

/** Of every key file of the bench, for `trellis` and for cosign. */
export const password = { TRELLIS_PASSWORD: 'bench', COSIGN_PASSWORD: 'bench' };

/** @param home where it may keep what it likes to keep @throws when it fails */
export async function trellis(home: string, ...args: readonly string[]): Promise<void> {
  await run(process.execPath, [launcher, ...args], { env: { ...process.env, HOME: home, ...password } });
}
