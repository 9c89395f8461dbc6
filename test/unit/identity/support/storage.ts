// A private directory per test, and a disk that fails on demand.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { IdentityError, type IdentityErrorCode } from '../../../../src/identity/errors.ts';
import { type FileSystem, nodeStorage, type Storage } from '../../../../src/identity/private-files.ts';

export const now = new Date('2026-03-01T12:00:00Z');

export function at(offsetMs: number): Date {
  return new Date(now.getTime() + offsetMs);
}

/** A fresh directory of mode 0700, gone after the test. */
export async function privateDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'trellis-identity-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export async function expectIdentityError(
  code: IdentityErrorCode,
  action: Promise<unknown>,
): Promise<IdentityError> {
  const thrown = await action.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(IdentityError);
  expect(thrown).toMatchObject({ code });
  return thrown as IdentityError;
}

/** ENOSPC, as the system reports it. */
function diskFull(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
}

export interface FailingDisk {
  readonly storage: Storage;
  /** How many operations that change the disk were asked for. */
  readonly operations: () => number;
}

/**
 * A disk on which the operation number `failing` (counted from 0; only those that change the disk count) fails with
 * ENOSPC. With `dead`, every later one fails too: nothing can be tidied up, as after SIGKILL or a loss of power.
 */
export function failingDisk(failing: number, dead = false): FailingDisk {
  let count = 0;
  const step = (): void => {
    const current = count++;
    if (current === failing || (dead && current > failing)) throw diskFull();
  };
  const { fs } = nodeStorage;
  const failingFs: FileSystem = {
    ...fs,
    mkdir: (async (...args: Parameters<typeof fs.mkdir>) => {
      step();
      return await fs.mkdir(...args);
    }) as typeof fs.mkdir,
    rename: async (...args) => {
      step();
      await fs.rename(...args);
    },
    link: async (...args) => {
      step();
      await fs.link(...args);
    },
    rm: async (...args) => {
      if (dead) step();
      await fs.rm(...args);
    },
    open: async (path, flags, mode) => {
      const writing = flags === 'wx';
      if (writing) step();
      const file = await fs.open(path, flags, mode);
      if (!writing) return file;
      const { writeFile, sync } = file;
      file.writeFile = async (data) => {
        // A full disk takes a part of the content first.
        const content = String(data);
        await writeFile.call(file, content.slice(0, 10));
        step();
        await writeFile.call(file, content.slice(10));
      };
      file.sync = async () => {
        step();
        await sync.call(file);
      };
      return file;
    },
  };
  return { storage: { ...nodeStorage, fs: failingFs }, operations: () => count };
}
