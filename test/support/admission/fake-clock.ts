// The clock of a process, moved while it runs. Its monotonic clock goes on as it was, as it does when somebody sets a machine's time.

import { execFile } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onEnd } from '../cleanup.ts';
import { testTool } from '../tools.ts';

export interface FakeClock {
  /** Of the process that goes by it. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on ahead of the machine's by so much, in milliseconds; behind it when negative. */
  set(offsetMs: number): Promise<void>;
}

export async function fakeClock(): Promise<FakeClock> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-clock-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'offset');
  // In one step: whoever reads it sees the old offset or the new one.
  const set = async (offsetMs: number): Promise<void> => {
    const seconds = Math.round(offsetMs / 1_000);
    await writeFile(`${file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
    await rename(`${file}.new`, file);
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: await preload(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // Files keep the times that they have.
      NO_FAKE_STAT: '1',
    },
    set,
  };
}

/** The library, by the name that the wrapper has for it. */
async function preload(): Promise<string> {
  const args = ['-m', '-f', '+0', process.execPath, '-p', 'process.env.LD_PRELOAD'];
  const { stdout } = await promisify(execFile)(await testTool('faketime'), args);
  return stdout.trim();
}
