// Builds the Go programs of bench/peers, when there is a Go to build them with.

import { join } from 'node:path';
import { run, which } from '../../src/cli/tools/process.ts';
import { type Peers, peerNames } from './bench.ts';

const source = new URL('../peers', import.meta.url).pathname;
/** With an empty module cache, everything is downloaded and compiled. */
const buildTimeoutMs = 10 * 60 * 1000;
/** Where Go's own installer puts it, which few add to their PATH. */
const usualPlace = '/usr/local/go/bin';

export interface GoBuild {
  readonly version: string;
  readonly peers: Peers;
}

/** @returns undefined when there is no Go here; throws when there is one and the peers do not build */
export async function buildPeers(directory: string): Promise<GoBuild | undefined> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${usualPlace}` };
  const go = await which('go', env);
  if (go === undefined) return undefined;
  const packages = peerNames.map((name) => `./${name}`);
  // -mod=readonly: what is not pinned in go.sum is not built.
  const args = ['build', '-C', source, '-mod=readonly', '-trimpath', '-o', `${directory}/`, ...packages];
  const build = await run(go, args, { env, timeoutMs: buildTimeoutMs });
  if (build.status !== 0) throw new Error(`the Go peers do not build: ${build.problem}\n${build.stderr}`);
  const version = await run(go, ['version'], { env, timeoutMs: buildTimeoutMs });
  const peers = Object.fromEntries(peerNames.map((name) => [name, join(directory, name)]));
  return { version: version.stdout.trim().replace(/^go version go/, ''), peers: peers as Peers };
}
