// CPU of an authorization check: the agent's socket and authorizer beside a typed grpc-go server.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkPath } from '../../src/xds/agreed-names.ts';
import { alternate } from '../measure/alternate.ts';
import type { Bench } from '../measure/bench.ts';
import { callMany } from '../measure/load.ts';
import { node, Program, type ProgramOptions } from '../measure/program.ts';
import type { Peer, Row, Section } from '../measure/row.ts';
import { Template } from '../measure/template.ts';
import { allowedShare, benchPolicy, benchRequests } from './scenario.ts';

const ruleCounts = [1, 10, 100];
const kilobyte = 1024;

interface Traffic {
  readonly what: string;
  readonly bytes: number;
  /** How many different requests there are; default: no two are the same. */
  readonly distinct?: number;
}

const traffics: readonly Traffic[] = [
  { what: '1.5 KB, no two the same', bytes: 1.5 * kilobyte },
  { what: '8 KB, no two the same', bytes: 8 * kilobyte },
  { what: '1.5 KB, 64 in turn', bytes: 1.5 * kilobyte, distinct: 64 },
];

/** An allowed share that is not what the policy says would make every other figure worthless. */
const shareTolerance = 1e-9;

interface Contestant {
  readonly name: string;
  readonly program: Program;
  readonly socket: string;
}

export async function benchAuthz(bench: Bench): Promise<Section> {
  const rows: Row[] = [];
  for (const rules of ruleCounts) rows.push(...(await benchPolicySize(bench, rules)));
  return {
    title: 'Authorization checks (ext_authz): CPU of the server per check',
    note:
      'Our agent (its socket, its authorizer, conditions in CEL) beside a typed grpc-go server with the same rules in Go; both on a Unix ' +
      'socket, two connections with eight calls at once on each. A quarter of the requests is denied. Tuned Go: GOMAXPROCS=1 GOGC=400.',
    rows,
  };
}

async function benchPolicySize(bench: Bench, rules: number): Promise<readonly Row[]> {
  const policyFile = join(bench.directory, `policy-${rules}.json`);
  await writeFile(policyFile, JSON.stringify(benchPolicy(rules)));
  const contestants = await startContestants(bench, rules, policyFile);
  const checks = new Checks(rules, bench.quick ? 8_000 : 20_000);
  const rounds: (readonly (readonly number[])[])[] = [];
  try {
    // The first one is a warm-up, until the machine code is what it will be.
    for (let round = 0; round <= bench.rounds; round++) {
      const figures: (readonly number[])[] = [];
      for (const traffic of traffics)
        figures.push(await alternate(contestants, (each, parts) => checks.run(each, traffic, parts)));
      if (round > 0) rounds.push(figures);
    }
  } finally {
    await Promise.all(contestants.map(({ program }) => program.stop()));
  }
  bench.log(`authz: ${rules === 1 ? '1 rule' : `${rules} rules`} done`);
  return traffics.flatMap(({ what }, traffic) => {
    const values = contestants.map(({ name }, index) => ({
      name,
      values: rounds.map((round) => round[traffic]?.[index] ?? Number.NaN),
    }));
    return rowsOf(`${rules === 1 ? '1 rule' : `${rules} rules`}, ${what}`, values);
  });
}

/** The checks for one policy; their numbers go up from run to run, so that those that shall differ do. */
class Checks {
  readonly #requests: ReadonlyMap<number, readonly Template[]>;
  readonly #calls: number;
  #next = 0;

  constructor(rules: number, calls: number) {
    this.#calls = calls;
    this.#requests = new Map(
      traffics.map(({ bytes }) => [
        bytes,
        benchRequests(rules, bytes).map((message) => new Template(message)),
      ]),
    );
  }

  /** Makes a part of the calls; microseconds of the server's CPU per call. */
  async run(
    { name, program, socket }: Contestant,
    { bytes, distinct }: Traffic,
    parts: number,
  ): Promise<number> {
    const calls = this.#calls / parts;
    const before = program.cpuMs();
    const { failed, allowed } = await callMany({
      socket,
      method: checkPath,
      requests: this.#requests.get(bytes) ?? [],
      calls,
      first: this.#next,
      ...(distinct === undefined ? {} : { distinct }),
    });
    const cpuMs = program.cpuMs() - before;
    this.#next += calls;
    if (failed > 0 || Math.abs(allowed / calls - allowedShare) > shareTolerance)
      throw new Error(`${name} allowed ${allowed} of ${calls} checks and failed in ${failed}`);
    return (cpuMs * 1000) / calls;
  }
}

function rowsOf(what: string, [ours, ...peers]: readonly Peer[]): readonly Row[] {
  if (ours === undefined) return [];
  const row = { what, unit: 'µs' as const, ours: ours.values };
  if (peers.length === 0) return [row];
  return peers.map((peer) => ({
    ...row,
    peer,
    // The promise is about Go as it comes.
    ...(peer.name === defaultGo ? { goal: { of: 'ratio' as const, atMost: 1 } } : {}),
  }));
}

const defaultGo = 'grpc-go';

async function startContestants(
  bench: Bench,
  rules: number,
  policyFile: string,
): Promise<readonly Contestant[]> {
  const start = async (
    name: string,
    program: (socket: string) => Omit<ProgramOptions, 'name'>,
  ): Promise<Contestant> => {
    const socket = join(bench.directory, `${name.replaceAll(' ', '-')}-${rules}.sock`);
    return { name, socket, program: await Program.start({ name, ...program(socket) }) };
  };
  const server = new URL('./server.ts', import.meta.url);
  const ours = await start('ours', (socket) => node(server, socket, policyFile));
  const { peers } = bench;
  if (peers === undefined) return [ours];
  const go = (socket: string) => ({ command: peers.authz, args: ['-socket', socket, '-policy', policyFile] });
  return [
    ours,
    await start(defaultGo, go),
    await start('tuned grpc-go', (socket) => ({ ...go(socket), env: { GOMAXPROCS: '1', GOGC: '400' } })),
  ];
}
