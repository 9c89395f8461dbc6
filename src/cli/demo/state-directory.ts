// Where the demo keeps its files:
//
//   demo.json        where everything is, for other programs; there only while the mesh runs
//   manifests/       the example's manifests: edit the policies in here
//   control-plane/   the control plane's state, with the CA
//   run/             the agents' sockets
//   logs/            one log per process

import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../errors.ts';
import { exampleNetworks, type Networks } from './networks.ts';

/** Says that a directory is ours, and which addresses the manifests in it have. */
const markerName = '.trellis-demo';
const lockName = '.lock';
/** More than a guardian needs to end the processes of a demo that was killed. */
const guardianTimeoutMs = 4000;
const lookEveryMs = 50;
/** `sun_path` holds 108 bytes on Linux, 104 on macOS, with a zero at the end. */
const maxSocketPathBytes = 103;
/** Longest name that is put into run/. */
const longestSocketName = 'run/federation-ai.sock';

export interface StateDirectory {
  readonly path: string;
  readonly manifests: string;
  readonly controlPlane: string;
  readonly sockets: string;
  readonly logs: string;
  readonly demoJson: string;
  /** What must not outlive the demo: all of it when it is temporary, else the lock. */
  readonly passing: string;
  /** The addresses that its manifests have; undefined when it has none yet. */
  readonly networks: Networks | undefined;
  /** Removed with everything in it when the demo ends. */
  readonly temporary: boolean;
  /** Records the addresses that its manifests have now. */
  recordNetworks(networks: Networks): Promise<void>;
  /** Removes what makes sense only while the demo runs; all of it when it is temporary. */
  release(): Promise<void>;
}

/**
 * Makes or takes over a state directory.
 * @param wanted `--state`; a temporary directory without it
 * @throws CliError ERR_CONFIGURATION when it holds something else, or its path is too long for a socket; ERR_UNAVAILABLE when another demo uses it
 */
export async function openStateDirectory(wanted: string | undefined): Promise<StateDirectory> {
  if (wanted === undefined) {
    const path = join(tmpdir(), 'trellis-demo-');
    checkSocketPath(`${path}XXXXXX`, 'set TMPDIR to a directory with a shorter path');
    return await layOut(await mkdtemp(path), undefined, true);
  }
  const path = resolve(wanted);
  checkSocketPath(path, 'give --state a directory with a shorter path');
  await makeDirectory(path);
  const networks = await readMarker(path);
  await lock(path);
  return await layOut(path, networks, false);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    throw new CliError('ERR_CONFIGURATION', `${path} is a file`, {
      hint: 'give --state a new or an empty directory',
      cause,
    });
  }
}

function checkSocketPath(path: string, hint: string): void {
  if (Buffer.byteLength(join(path, longestSocketName)) <= maxSocketPathBytes) return;
  throw new CliError(
    'ERR_CONFIGURATION',
    `${path} is too long a path: Unix sockets in it would have more than ${maxSocketPathBytes} bytes`,
    { hint },
  );
}

/** @returns undefined for an empty directory */
async function readMarker(path: string): Promise<Networks | undefined> {
  const names = await readdir(path);
  if (names.length === 0) return undefined;
  if (!names.includes(markerName)) {
    throw new CliError('ERR_CONFIGURATION', `${path} is not empty and not a state directory of the demo`, {
      hint: 'give --state a new or an empty directory',
    });
  }
  return parseNetworks(await readFile(join(path, markerName), 'utf8'), path);
}

function parseNetworks(text: string, path: string): Networks {
  const pattern = /^pods (\d+\.\d+\.\d+)\nservices (\d+\.\d+\.\d+)\n$/;
  const [, pods, services] = pattern.exec(text) ?? [];
  if (pods !== undefined && services !== undefined) return { pods, services };
  throw new CliError('ERR_CONFIGURATION', `${join(path, markerName)} is damaged`, {
    hint: `remove ${path} to start afresh`,
  });
}

/**
 * One demo per directory. Where the holder of the lock has been killed, its guardian is still ending its processes, and
 * removes the lock when it is done.
 */
async function lock(path: string): Promise<void> {
  const file = join(path, lockName);
  const deadline = performance.now() + guardianTimeoutMs;
  for (;;) {
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (!Number.isInteger(holder) || holder <= 0) break;
    if (isAlive(holder)) {
      throw new CliError('ERR_UNAVAILABLE', `${path} is in use by another demo (process ${holder})`, {
        hint: 'end it, or give --state another directory',
      });
    }
    if (performance.now() > deadline) break;
    await sleep(lookEveryMs);
  }
  await writeFile(file, `${process.pid}\n`, { mode: 0o600 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function layOut(
  path: string,
  networks: Networks | undefined,
  temporary: boolean,
): Promise<StateDirectory> {
  const directory = {
    path,
    manifests: join(path, 'manifests'),
    controlPlane: join(path, 'control-plane'),
    sockets: join(path, 'run'),
    logs: join(path, 'logs'),
    demoJson: join(path, 'demo.json'),
    passing: temporary ? path : join(path, lockName),
    networks,
    temporary,
  };
  const recordNetworks = ({ pods, services }: Networks): Promise<void> =>
    writeAtomically(join(path, markerName), `pods ${pods}\nservices ${services}\n`);
  // The marker comes first: a directory that was only half filled is still known as ours.
  await recordNetworks(networks ?? exampleNetworks);
  await chmod(path, 0o700);
  // What a demo that was killed has left in its place, and the logs of the last one.
  for (const part of [directory.demoJson, directory.sockets, directory.logs])
    await rm(part, { recursive: true, force: true });
  for (const part of [directory.controlPlane, directory.sockets, directory.logs]) {
    await mkdir(part, { recursive: true, mode: 0o700 });
  }
  return {
    ...directory,
    recordNetworks,
    release: async () => {
      for (const part of [directory.demoJson, directory.sockets, directory.passing]) {
        await rm(part, { recursive: true, force: true });
      }
    },
  };
}

/** Readers see the old content or the new, never a part, and after a crash too. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
