// `trellis check`: the objects of a cluster in, and what would keep it from starting again out.

import type { Command } from 'commander';
import pc from 'picocolors';
import { readClusterObjects } from '../../admission/cold-start/cluster-objects.ts';
import { type ColdStart, type ColdStartFinding, coldStart } from '../../admission/cold-start/deadlocks.ts';
import { rolesOfEveryCluster } from '../../admission/cold-start/must-start-first.ts';
import { judgedVersionOf } from '../../admission/pod/pod-of.ts';
import { groupOf } from '../../model/kinds.ts';
import { ownField } from '../../model/manifest.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { CliError } from '../errors.ts';
import { readManifestFiles, refuseTwoStreams } from '../manifest-files.ts';
import { print, printJson } from '../output.ts';
import { knowledgeOf } from './known-kinds.ts';

export interface CheckOptions {
  readonly json?: true;
}

/** @throws CliError when something would wait for ever; what else is wrong with what was given */
export async function runCheck(
  paths: readonly string[],
  { json }: CheckOptions,
  command: Command,
): Promise<void> {
  refuseTwoStreams(paths);
  const files = await readManifestFiles('the objects', paths);
  const contents = files.flatMap(({ manifests }) => manifests.map(({ content }) => content));
  for (const content of contents) refuseUnknownKind(content);
  const objects = readClusterObjects(contents);
  const { webhooks, findings, recognised, missing } = coldStart(objects);
  if (webhooks.length === 0) {
    throw new CliError('ERR_USAGE', 'there is no webhook of Trellis in these objects that pods wait for', {
      hint: 'before it is installed, give what `helm template trellis charts/trellis -n NAMESPACE` prints as well',
    });
  }
  if (missing.length > 0) {
    throw new CliError(
      'ERR_USAGE',
      `there are no ${missing.join(', and no ')} of the cluster in these objects`,
      {
        hint: 'every cluster has some: see whether kubectl was allowed to list them, and `trellis check --help` for what to ask it for',
      },
    );
  }
  const deadlocks = findings.filter(({ severity }) => severity === 'deadlock');
  if (json) printJson(command, { ok: deadlocks.length === 0, webhooks, findings, recognised });
  else
    for (const line of [...linesOf(findings, webhooks), ...recognisedLines(recognised)]) print(command, line);
  if (deadlocks.length === 0) return;
  throw new CliError('ERR_CHECK_FAILED', 'the cluster would not come up again', {
    hint: `exempt what has to start first: exemptNamespaces of the chart, ${namespacesOf(deadlocks)}`,
  });
}

/** To pass it over would look like a yes. */
function refuseUnknownKind(content: unknown): void {
  const [apiVersion, kind] = [ownField(content, 'apiVersion'), ownField(content, 'kind')];
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
    throw new CliError('ERR_USAGE', 'there is something in these objects without apiVersion and kind');
  }
  if (judgedVersionOf(kind) === apiVersion) return;
  const known = knowledgeOf(groupOf(apiVersion), kind);
  if ('mistake' in known) {
    throw new CliError('ERR_USAGE', `${kind}: ${known.mistake}`, { hint: known.hint });
  }
}

function linesOf(findings: readonly ColdStartFinding[], webhooks: readonly string[]): readonly string[] {
  if (findings.length === 0) {
    return [`${pc.green('ok')}  nothing that has to start first waits for ${webhooks.join(', ')}`];
  }
  return findings.map(({ severity, workload, message, code }) => {
    const head = severity === 'deadlock' ? pc.red('DEADLOCK') : pc.yellow('delay');
    return `${head}  ${escapeInvisible(`${workload}: ${message} (${code})`)}`;
  });
}

/** Whoever reads it can tell what was not: the answer says nothing about that. */
function recognisedLines(recognised: ColdStart['recognised']): readonly string[] {
  return Object.entries(roleTexts).flatMap(([role, text]) => {
    const found = recognised.filter((each) => each.role === role).map(({ workload }) => workload);
    if (found.length === 0 && !isOfEveryCluster(role)) return [];
    return [escapeInvisible(`  ${text}: ${found.length === 0 ? 'none was recognised' : found.join(', ')}`)];
  });
}

function isOfEveryCluster(role: string): boolean {
  return rolesOfEveryCluster.some((each) => each === role);
}

const roleTexts: Readonly<Record<ColdStart['recognised'][number]['role'], string>> = {
  network: 'network of pods',
  dns: 'cluster DNS',
  registry: 'registries in the cluster',
  storage: 'storage drivers',
  critical: 'of a critical priority class',
};

function namespacesOf(findings: readonly ColdStartFinding[]): string {
  return [...new Set(findings.map(({ namespace }) => namespace))].sort().join(', ');
}
