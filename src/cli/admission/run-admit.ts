// `trellis admit`: each object by itself, and one end for all.

import type { Command } from 'commander';
import type { AdmissionDecision } from '../../admission/decision.ts';
import type { Policy } from '../../model/mesh.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { policiesForNamespace } from '../../policy/selection.ts';
import { CliError } from '../errors.ts';
import { refuseTwoStreams } from '../manifest-files.ts';
import { print, printJson } from '../output.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { decisionOn, offlineContext } from './offline-context.ts';
import { type PodManifest, readPodManifests } from './pod-manifests.ts';
import { decisionJson, renderDecision, verdictOf } from './render-decision.ts';

export interface AdmitOptions extends RegistryClientOptions {
  readonly filename: readonly string[];
  readonly policy: readonly string[];
  readonly namespace: string;
  readonly rootNamespace: string;
  /** Milliseconds. */
  readonly deadline: number;
  readonly json?: true;
}

/** Objects at the same time: each may look at several registries. */
const maxParallel = 8;

interface Judged {
  readonly manifest: PodManifest;
  readonly decision: AdmissionDecision;
}

/** @throws CliError when an object is denied or could not be judged; what else is wrong with what was given */
export async function runAdmit(options: AdmitOptions, command: Command): Promise<void> {
  const { filename, namespace, rootNamespace, deadline, json } = options;
  refuseTwoStreams([...filename, ...options.policy]);
  const policies = await readPolicyFiles(options.policy);
  const { judged: manifests, passedOver } = await readPodManifests(filename, namespace);
  if (manifests.length === 0) {
    throw new CliError('ERR_USAGE', 'there is nothing in these manifests that makes pods', {
      hint: 'give Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, ReplicationControllers, Jobs or CronJobs',
    });
  }
  const client = await registryClientOf(options);
  try {
    const images = { kind: 'registries', client } as const;
    const context = offlineContext({ policies, rootNamespace, images, now: () => new Date() });
    refuseSilence(policies.policies, rootNamespace, manifests);
    const all: Judged[] = [];
    for (let start = 0; start < manifests.length; start += maxParallel) {
      const judging = manifests
        .slice(start, start + maxParallel)
        .map(async (manifest) => ({ manifest, decision: await decisionOn(manifest, context, deadline) }));
      all.push(...(await Promise.all(judging)));
    }
    if (json) printJson(command, documentOf(all, passedOver));
    else for (const line of linesOf(all, passedOver)) print(command, line);
    conclude(all);
  } finally {
    await client.close();
  }
}

function documentOf(all: readonly Judged[], passedOver: ReadonlyMap<string, number>) {
  return {
    ok: all.every(({ decision }) => decision.allowed),
    objects: all.map(({ manifest, decision }) => decisionJson(manifest, decision)),
    passedOver: Object.fromEntries(passedOver),
  };
}

/** Policies that hold for nothing that is judged: a green answer would be about nothing. */
function refuseSilence(
  policies: readonly Policy[],
  rootNamespace: string,
  manifests: readonly PodManifest[],
): void {
  const namespaces = [...new Set(manifests.map(({ request }) => request.namespace))];
  if (namespaces.some((each) => policiesForNamespace(policies, rootNamespace, each).length > 0)) return;
  const own = [...new Set(policies.map(({ namespace }) => namespace))].join(', ');
  throw new CliError('ERR_USAGE', `no policy holds for ${namespaces.join(', ')}: they are of ${own}`, {
    hint: `name the namespace of the manifests with -n, that of the policies in their metadata, or the mesh's with --root-namespace (${rootNamespace})`,
  });
}

function linesOf(all: readonly Judged[], passedOver: ReadonlyMap<string, number>): readonly string[] {
  const lines = all.map(({ manifest, decision }) => renderDecision(manifest.name, decision));
  if (passedOver.size === 0) return lines;
  return [
    ...lines,
    escapeInvisible(
      `passed over, as admission does not look into them: ${[...passedOver.keys()].join(', ')}`,
    ),
  ];
}

function conclude(all: readonly Judged[]): void {
  const count = (verdict: ReturnType<typeof verdictOf>) =>
    all.filter(({ decision }) => verdictOf(decision) === verdict).length;
  const [denied, unknown] = [count('denied'), count('unknown')];
  if (denied > 0) {
    const others = unknown === 0 ? '' : `, ${unknown} could not be judged`;
    throw new CliError('ERR_CHECK_FAILED', `${denied} of ${all.length} denied${others}`);
  }
  if (unknown === 0) return;
  throw new CliError('ERR_NOT_ASKED', `${unknown} of ${all.length} could not be judged`, {
    hint: 'this says nothing about the images; registries were asked with your credentials (--docker-config): see what they said above, and try again',
  });
}
