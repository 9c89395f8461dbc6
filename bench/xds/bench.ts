// Configuration to proxies: the first push after a restart of the control plane, and what a change of one endpoint costs.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { typeUrls } from '../../src/xds/resources.ts';
import { MeshSnapshots } from '../../src/xds/snapshots.ts';
import type { Bench } from '../measure/bench.ts';
import { node, Program, type ProgramOptions } from '../measure/program.ts';
import type { Goal, Row, Section } from '../measure/row.ts';
import { spread } from '../measure/statistics.ts';
import { XdsClient } from './client.ts';
import { benchMesh, benchSettings, clientNames, serviceCount } from './mesh-state.ts';

/** The first is what the goals are about; the larger one is about memory, which hardly varies. */
const clientCounts = [500, 2_000];
const largeRounds = 2;
const changes = 20;
const largeChanges = 5;
const peerName = 'go-control-plane LinearCache';
/** After the last client has everything: acknowledgements and garbage collection belong to the push. */
const settleMs = 500;
const timeoutMs = 120_000;

const isLarge = (clients: number): boolean => clients !== clientCounts[0];

interface Figures {
  readonly firstPushCpuS: number;
  readonly firstPushS: number;
  readonly changeCpuMs: number;
  /** Median over the changes. */
  readonly changeToAllMs: number;
  readonly rssMb: number;
}

type ServerOptions = Omit<ProgramOptions, 'name'>;

export async function benchXds(bench: Bench): Promise<Section> {
  const snapshots = new MeshSnapshots(benchMesh(), benchSettings);
  const [someone = 'none/none'] = clientNames(1);
  const { shared } = snapshots.source(someone).current();
  const endpointNames = [...(shared.byType.get(typeUrls.endpoint)?.keys() ?? [])];
  const ours: ServerOptions = node(new URL('./server.ts', import.meta.url));
  const peer = await peerServer(bench, shared);
  const rows: Row[] = [];
  for (const clients of clientCounts) {
    const rounds = bench.quick ? 1 : isLarge(clients) ? Math.min(bench.rounds, largeRounds) : bench.rounds;
    const figures: { readonly ours: Figures[]; readonly peer: Figures[] } = { ours: [], peer: [] };
    for (let round = 0; round < rounds; round++) {
      figures.ours.push(await measure('ours', ours, clients, endpointNames));
      if (peer !== undefined) figures.peer.push(await measure(peerName, peer, clients, endpointNames));
      bench.log(`xds: ${clients} clients, round ${round + 1} of ${rounds} done`);
    }
    rows.push(...rowsOf(clients, figures.ours, figures.peer));
  }
  return {
    title: `Configuration (delta xDS): ${serviceCount} services of 10 endpoints`,
    note:
      `Our snapshots, made by the real translation, and our delta server beside ${peerName}, which is given the very same clusters and endpoints; ` +
      'each client has a plaintext HTTP/2 connection, acknowledges everything, and runs in another process. Ours also translates the listeners and ' +
      'routes of each client, which nobody subscribes to here. First push: a server that has just started, all clients at once.',
    rows,
  };
}

async function peerServer(
  bench: Bench,
  { byType }: { readonly byType: ReadonlyMap<string, ReadonlyMap<string, { readonly bytes: Uint8Array }>> },
): Promise<ServerOptions | undefined> {
  if (bench.peers === undefined) return undefined;
  const file = join(bench.directory, 'resources.binpb');
  const entries = [...byType.values()].flatMap((resources) => [...resources.values()]);
  // Each is one entry of a DeltaDiscoveryResponse.
  await writeFile(file, Buffer.concat(entries.map(({ bytes }) => bytes)));
  return { command: bench.peers.xds, args: ['-resources', file] };
}

async function measure(
  name: string,
  options: ServerOptions,
  count: number,
  endpointNames: readonly string[],
): Promise<Figures> {
  const server = await Program.start({ name, ...options });
  const clients: XdsClient[] = [];
  try {
    const port = Number(await server.line());
    let check = (): void => {};
    const all = (what: string, holds: (client: XdsClient) => boolean): Promise<void> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${name}: ${what} takes too long`)), timeoutMs);
        check = () => {
          if (clients.length < count || !clients.every(holds)) return;
          clearTimeout(timer);
          check = () => {};
          resolve();
        };
      });
    const cpuBefore = server.cpuMs();
    const start = performance.now();
    const complete = all(
      'the first push',
      (client) => client.clusters >= serviceCount && client.endpoints >= serviceCount,
    );
    const connected = clientNames(count).map(async (workload) =>
      clients.push(await XdsClient.connect(port, workload, endpointNames, () => check())),
    );
    await Promise.all([complete, ...connected]);
    const firstPushS = (performance.now() - start) / 1000;
    await sleep(settleMs);
    const cpuAfter = server.cpuMs();
    const moves = isLarge(count) ? largeChanges : changes;
    const toAll: number[] = [];
    for (let number = 1; number <= moves; number++) {
      const sent = performance.now();
      const arrived = all('a change', (client) => client.endpoints >= serviceCount + number);
      server.send('change');
      await arrived;
      toAll.push(performance.now() - sent);
    }
    await sleep(settleMs);
    return {
      firstPushCpuS: (cpuAfter - cpuBefore) / 1000,
      firstPushS,
      changeCpuMs: (server.cpuMs() - cpuAfter) / moves,
      changeToAllMs: spread(toAll).median,
      rssMb: server.rssMb(),
    };
  } finally {
    for (const client of clients) client.close();
    await server.stop();
  }
}

function rowsOf(clients: number, ours: readonly Figures[], peer: readonly Figures[]): readonly Row[] {
  const row = (what: string, unit: Row['unit'], value: (figures: Figures) => number, goal?: Goal): Row => ({
    what: `${clients} clients: ${what}`,
    unit,
    ours: ours.map(value),
    peer: peer.length === 0 ? undefined : { name: peerName, values: peer.map(value) },
    ...(goal === undefined ? {} : { goal }),
  });
  const quarter: Goal | undefined = isLarge(clients) ? undefined : { of: 'ratio', atMost: 0.25 };
  return [
    row('first push, CPU', 's', ({ firstPushCpuS }) => firstPushCpuS, quarter),
    row('first push, to all', 's', ({ firstPushS }) => firstPushS),
    row('one endpoint changes, CPU', 'ms', ({ changeCpuMs }) => changeCpuMs, quarter),
    row('one endpoint changes, to all (p50)', 'ms', ({ changeToAllMs }) => changeToAllMs),
    row('memory', 'MB', ({ rssMb }) => rssMb, isLarge(clients) ? { of: 'ours', atMost: 400 } : undefined),
  ];
}
