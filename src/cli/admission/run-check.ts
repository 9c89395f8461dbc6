// `trellis check`: the objects of a cluster in, and what would keep it from starting again out.

import type { Command } from 'commander';
import pc from 'picocolors';
import { type ClusterObjects, readClusterObjects } from '../../admission/cold-start/cluster-objects.ts';
import { type ColdStartFinding, coldStart } from '../../admission/cold-start/deadlocks.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { CliError } from '../errors.ts';
import { readManifestFiles, refuseTwoStreams } from '../manifest-files.ts';
import { print, printJson } from '../output.ts';

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
  const objects = readClusterObjects(
    files.flatMap(({ manifests }) => manifests.map(({ content }) => content)),
  );
  refusePart(objects);
  const { webhooks, findings } = coldStart(objects);
  if (webhooks.length === 0) {
    throw new CliError('ERR_USAGE', 'there is no webhook of Trellis in these objects that pods wait for', {
      hint: 'before it is installed, give what `helm template trellis charts/trellis -n NAMESPACE` prints as well',
    });
  }
  const deadlocks = findings.filter(({ severity }) => severity === 'deadlock');
  if (json) printJson(command, { ok: deadlocks.length === 0, webhooks, findings });
  else for (const line of linesOf(findings, webhooks, objects)) print(command, line);
  if (deadlocks.length === 0) return;
  throw new CliError('ERR_CHECK_FAILED', 'the cluster would not come up again', {
    hint: `exempt what has to start first: exemptNamespaces of the chart, ${namespacesOf(deadlocks)}`,
  });
}

/** Of a part of a cluster the answer would be green for what is not in it. */
function refusePart({ namespaces, workloads, services }: ClusterObjects): void {
  const missing = [
    ...(namespaces.size === 0 ? ['Namespaces'] : []),
    ...(workloads.length === 0 ? ['DaemonSets or Deployments'] : []),
    ...(services.length === 0 ? ['Services'] : []),
  ];
  if (missing.length === 0) return;
  throw new CliError('ERR_USAGE', `there are no ${missing.join(', and no ')} in these objects`, {
    hint: 'every cluster has some: see `trellis check --help` for what to ask it for',
  });
}

function linesOf(
  findings: readonly ColdStartFinding[],
  webhooks: readonly string[],
  { namespaces, workloads }: ClusterObjects,
): readonly string[] {
  if (findings.length === 0) {
    const seen = `${workloads.length} workloads in ${namespaces.size} namespaces were looked at`;
    return [`${pc.green('ok')}  nothing that has to start first waits for ${webhooks.join(', ')}: ${seen}`];
  }
  return findings.map(({ severity, workload, message, code }) => {
    const head = severity === 'deadlock' ? pc.red('DEADLOCK') : pc.yellow('delay');
    return `${head}  ${escapeInvisible(`${workload}: ${message} (${code})`)}`;
  });
}

function namespacesOf(findings: readonly ColdStartFinding[]): string {
  return [...new Set(findings.map(({ namespace }) => namespace))].sort().join(', ');
}
