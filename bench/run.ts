// Measures Trellis beside its peers and writes bench/results.md:
//
//   npm run bench -- [--quick] [authz] [xds] [svid] [mesh] [signing] [admission]
//
// Without names it runs all groups, and only then results.md is written. --quick runs fewer rounds and writes nothing.

import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Envoy, findEnvoy } from '../src/cli/tools/envoy.ts';
import { ToolError } from '../src/cli/tools/errors.ts';
import { benchAdmission } from './admission/bench.ts';
import { benchAuthz } from './authz/bench.ts';
import type { Bench } from './measure/bench.ts';
import { buildPeers } from './measure/go-peers.ts';
import { machineFacts } from './measure/machine.ts';
import { resultsPage, type Section, table } from './measure/row.ts';
import { benchMesh } from './mesh/bench.ts';
import { benchSigning } from './signing/bench.ts';
import { benchSvid } from './svid/bench.ts';
import { benchXds } from './xds/bench.ts';

const groups = {
  authz: benchAuthz,
  xds: benchXds,
  svid: benchSvid,
  mesh: benchMesh,
  signing: benchSigning,
  admission: benchAdmission,
};
type GroupName = keyof typeof groups;

const rounds = 5;
const quickRounds = 2;
const results = new URL('./results.md', import.meta.url);

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const names = Object.keys(groups) as GroupName[];
const unknown = positionals.filter((name) => !names.some((known) => known === name));
if (unknown.length > 0) {
  console.error(`bench: unknown: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}

const log = (line: string): void => console.error(`bench: ${line}`);
const directory = await mkdtemp(join(tmpdir(), 'trellis-bench-'));
// However the run ends: there are keys in it. Programs end with the process by themselves.
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const go = await buildPeers(directory);
if (go === undefined) log('MISSING: go. Only our own figures are measured, beside nobody.');
const envoy = await envoyHere();
const bench: Bench = {
  rounds: values.quick ? quickRounds : rounds,
  quick: values.quick,
  directory,
  peers: go?.peers,
  envoy: envoy?.path,
  log,
};
const facts = machineFacts({ go: go?.version, envoy: envoy?.version, rounds: bench.rounds });
console.log(facts);
const sections: Section[] = [];
for (const name of names.filter((each) => positionals.length === 0 || positionals.includes(each))) {
  const section = await groups[name](bench);
  sections.push(section);
  console.log(`\n${section.title}\n\n${table(section.rows)}`);
}
if (positionals.length === 0 && !values.quick) {
  await writeFile(results, resultsPage(facts, sections));
  log(`written to ${results.pathname}`);
}

async function envoyHere(): Promise<Envoy | undefined> {
  try {
    return await findEnvoy({ env: process.env, log });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`MISSING: ${error.message}`);
    return undefined;
  }
}
