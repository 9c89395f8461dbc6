// What post-quantum TLS costs between two proxies: on connections that are there, and to make one.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchPolicy, hybridPolicy } from '../authz/scenario.ts';
import type { Bench } from '../measure/bench.ts';
import { node, Program } from '../measure/program.ts';
import type { Goal, Row, Section } from '../measure/row.ts';
import { quantile } from '../measure/statistics.ts';
import { newConnectionPath } from './envoy-config.ts';
import { Pair } from './pair.ts';
import { classicalPki, meshPki, type Pki } from './pki.ts';

const title = 'Between proxies: the same pair of Envoys with the TLS of the mesh and with ECDSA';
/** Requests at once where CPU is measured; latency is measured with one at a time. */
const inFlight = 16;
const handshakesInFlight = 4;

/** Of a round: the pairs alternate this often, because other work on the machine comes and goes. */
const turns = 4;

interface Figures {
  readonly warmCpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly connectionCpuMs: number;
  /** Of the agent that checks the counter-signature. */
  readonly agentCpuMs: number | undefined;
}

interface Contestant {
  readonly name: string;
  readonly pair: Pair;
  readonly agent: Program | undefined;
}

export async function benchMesh(bench: Bench): Promise<Section> {
  const note =
    'Two proxies, mutual TLS 1.3 between them, RBAC by SPIFFE ID, the second one answers. CPU of both proxies together; latency with one request at a ' +
    'time. Plain: ECDSA P-256 certificates, X25519. ML-DSA: ML-DSA-65 certificates, X25519MLKEM768. Hybrid: besides, our agent checks the ECDSA ' +
    'counter-signature of the caller once per connection.';
  const { envoy } = bench;
  if (envoy === undefined) return { title, note: 'Not measured: there is no Envoy here.', rows: [] };
  const contestants = await startAll(bench, envoy);
  const rounds: (readonly Figures[])[] = [];
  try {
    await measure(contestants, bench.quick);
    for (let round = 0; round < bench.rounds; round++) {
      rounds.push(await measure(contestants, bench.quick));
      bench.log(`mesh: round ${round + 1} of ${bench.rounds} done`);
    }
  } finally {
    for (const { pair, agent } of contestants) {
      await pair.stop();
      await agent?.stop();
    }
  }
  const results = contestants.map(({ name }, index) => ({
    name,
    figures: rounds.flatMap((round) => round[index] ?? []),
  }));
  const [plain, ...ours] = results;
  return { title, note, rows: plain === undefined ? [] : ours.flatMap((each) => rowsOf(each, plain)) };
}

async function startAll(bench: Bench, envoy: string): Promise<readonly Contestant[]> {
  const now = new Date();
  const mesh = meshPki(now);
  const start = async (name: string, pki: Pki, authorizer?: { socket: string; agent: Program }) => {
    const { directory } = bench;
    const options = { envoy, name, directory, pki };
    const pair = await Pair.start(
      authorizer === undefined ? options : { ...options, authorizer: authorizer.socket },
    );
    return { name, pair, agent: authorizer?.agent };
  };
  return [
    await start('plain ECDSA', classicalPki(now)),
    await start('ML-DSA', mesh),
    await start('hybrid', mesh, await startAgent(bench, hybridPolicy(mesh.anchor))),
  ];
}

async function startAgent(bench: Bench, policy: BenchPolicy): Promise<{ socket: string; agent: Program }> {
  const policyFile = join(bench.directory, 'policy-hybrid.json');
  await writeFile(policyFile, JSON.stringify(policy));
  const socket = join(bench.directory, 'hybrid.sock');
  const server = new URL('../authz/server.ts', import.meta.url);
  return { socket, agent: await Program.start({ name: 'agent', ...node(server, socket, policyFile) }) };
}

/** One round: the figures of each, in their order. */
async function measure(contestants: readonly Contestant[], quick: boolean): Promise<readonly Figures[]> {
  const measurements = contestants.map((contestant) => new Measurement(contestant, quick));
  for (const step of ['warm', 'latency', 'connections'] as const) {
    for (let turn = 0; turn < turns; turn++) {
      for (const measurement of measurements) await measurement[step]();
    }
  }
  return measurements.map((measurement) => measurement.figures());
}

class Measurement {
  readonly #pair: Pair;
  readonly #agent: Program | undefined;
  readonly #counts: { readonly warm: number; readonly alone: number; readonly connections: number };
  readonly #took: number[] = [];
  #warmCpuMs = 0;
  #connectionsCpuMs = 0;
  #agentCpuMs = 0;

  constructor({ pair, agent }: Contestant, quick: boolean) {
    this.#pair = pair;
    this.#agent = agent;
    this.#counts = quick
      ? { warm: 5_000 / turns, alone: 1_000 / turns, connections: 100 / turns }
      : { warm: 20_000 / turns, alone: 4_000 / turns, connections: 400 / turns };
  }

  async warm(): Promise<void> {
    const before = this.#pair.cpuMs();
    await this.#pair.request('/', this.#counts.warm, inFlight);
    this.#warmCpuMs += this.#pair.cpuMs() - before;
  }

  async latency(): Promise<void> {
    this.#took.push(...(await this.#pair.request('/', this.#counts.alone, 1)));
  }

  async connections(): Promise<void> {
    const before = this.#pair.cpuMs();
    const agentBefore = this.#agent?.cpuMs() ?? 0;
    await this.#pair.request(newConnectionPath, this.#counts.connections, handshakesInFlight);
    this.#connectionsCpuMs += this.#pair.cpuMs() - before;
    this.#agentCpuMs += (this.#agent?.cpuMs() ?? 0) - agentBefore;
  }

  figures(): Figures {
    const warmCpuMs = this.#warmCpuMs / (this.#counts.warm * turns);
    const connections = this.#counts.connections * turns;
    return {
      warmCpuUs: warmCpuMs * 1000,
      p50Ms: quantile(this.#took, 0.5),
      p99Ms: quantile(this.#took, 0.99),
      connectionCpuMs: this.#connectionsCpuMs / connections - warmCpuMs,
      agentCpuMs: this.#agent === undefined ? undefined : this.#agentCpuMs / connections,
    };
  }
}

/** On connections that are there nothing post-quantum is left to be done. */
const warmGoal: Goal = { of: 'ratio', atMost: 1.05 };

interface Result {
  readonly name: string;
  /** One of each round. */
  readonly figures: readonly Figures[];
}

function rowsOf(ours: Result, plain: Result): readonly Row[] {
  const row = (what: string, unit: Row['unit'], value: (figures: Figures) => number, goal?: Goal): Row => ({
    what: `${ours.name}: ${what}`,
    unit,
    ours: ours.figures.map(value),
    peer: { name: plain.name, values: plain.figures.map(value) },
    ...(goal === undefined ? {} : { goal }),
  });
  const agent = ours.figures.flatMap(({ agentCpuMs }) => (agentCpuMs === undefined ? [] : [agentCpuMs]));
  return [
    row('a request on a warm connection, CPU', 'µs', ({ warmCpuUs }) => warmCpuUs, warmGoal),
    row('a request on a warm connection, p50', 'ms', ({ p50Ms }) => p50Ms),
    row('a request on a warm connection, p99', 'ms', ({ p99Ms }) => p99Ms, warmGoal),
    row('a new connection, CPU', 'ms', ({ connectionCpuMs }) => connectionCpuMs),
    ...(agent.length === 0
      ? []
      : [{ what: `${ours.name}: a new connection, CPU of the agent`, unit: 'ms' as const, ours: agent }]),
  ];
}
