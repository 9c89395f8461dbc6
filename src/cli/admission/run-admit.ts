// `trellis admit`: each object by itself, and one end for all.

import type { Command } from 'commander';
import type { AdmissionDecision } from '../../admission/decision.ts';
import type { SidecarSettings } from '../../admission/sidecar/settings.ts';
import type { Policy } from '../../model/mesh.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { policiesForNamespace } from '../../policy/selection.ts';
import { CliError } from '../errors.ts';
import { refuseTwoStreams } from '../manifest-files.ts';
import { print, printJson } from '../output.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { registryAdvice } from './offline-advice.ts';
import { decisionOn, offlineContext } from './offline-context.ts';
import { type PodManifest, type PodManifests, readPodManifests } from './pod-manifests.ts';
import { decisionJson, renderDecision, type Verdict, verdictOf, verdicts } from './render-decision.ts';
import { sidecarSettings, sidecarText } from './sidecar-image.ts';

export interface AdmitOptions extends RegistryClientOptions {
  readonly filename: readonly string[];
  readonly policy: readonly string[];
  readonly namespace: string;
  readonly rootNamespace: string;
  readonly sidecarImage?: readonly string[];
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

/** What is said at the end, about all. */
interface Outcome extends Omit<PodManifests, 'judged'> {
  readonly all: readonly Judged[];
  readonly sidecar: SidecarSettings | undefined;
}

/** @throws CliError when an object is denied or could not be judged; what else is wrong with what was given */
export async function runAdmit(options: AdmitOptions, command: Command): Promise<void> {
  const { filename, namespace, rootNamespace, deadline, json } = options;
  refuseTwoStreams([...filename, ...options.policy]);
  const sidecar = sidecarSettings(options.sidecarImage ?? []);
  const policies = await readPolicyFiles(options.policy);
  const { judged: manifests, ...others } = await readPodManifests(filename, namespace);
  if (manifests.length === 0) {
    throw new CliError('ERR_USAGE', 'there is nothing in these manifests that makes pods', {
      hint: 'give Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, ReplicationControllers, Jobs or CronJobs',
    });
  }
  const client = await registryClientOf(options);
  try {
    const images = { kind: 'registries', client } as const;
    const context = offlineContext({
      policies,
      rootNamespace,
      images,
      sidecar,
      advice: registryAdvice,
      now: () => new Date(),
    });
    refuseSilence(policies.policies, rootNamespace, manifests);
    const all: Judged[] = [];
    for (let start = 0; start < manifests.length; start += maxParallel) {
      const judging = manifests
        .slice(start, start + maxParallel)
        .map(async (manifest) => ({ manifest, decision: await decisionOn(manifest, context, deadline) }));
      all.push(...(await Promise.all(judging)));
    }
    const outcome: Outcome = { all, sidecar, ...others };
    if (json) printJson(command, documentOf(outcome));
    else for (const line of linesOf(outcome)) print(command, line);
    conclude(all);
  } finally {
    await client.close();
  }
}

function documentOf({ all, sidecar, passedOver, notKnown }: Outcome) {
  return {
    ok: all.every(({ decision }) => decision.allowed),
    sidecarImages: sidecar?.revisions.map(({ image }) => image) ?? [],
    objects: all.map(({ manifest, decision }) => decisionJson(manifest, decision)),
    passedOver: Object.fromEntries(passedOver),
    notKnown: Object.fromEntries(notKnown),
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

function linesOf({ all, sidecar, passedOver, notKnown }: Outcome): readonly string[] {
  const tally = verdicts.flatMap((verdict) => {
    const count = countOf(all, verdict);
    return count === 0 ? [] : [`${count} ${verdictTexts[verdict]}`];
  });
  const notes = [
    `${all.length} judged, as where ${sidecarText(sidecar)}: ${tally.join(', ')}`,
    ...noteOn(passedOver, 'passed over, as they make no pods'),
    ...noteOn(
      notKnown,
      'NOT LOOKED INTO, as nothing is known of their kinds; pods that they make are judged in the cluster',
    ),
  ];
  return [
    ...all.map(({ manifest, decision }) => renderDecision(manifest.name, decision)),
    ...notes.map(escapeInvisible),
  ];
}

const verdictTexts: Readonly<Record<Verdict, string>> = {
  allowed: 'allowed',
  warned: 'allowed with warnings',
  denied: 'denied',
  unusable: 'not judged',
  unknown: 'not known',
};

/** `3 passed over, as they make no pods: ConfigMap, 2 Service` */
function noteOn(kinds: ReadonlyMap<string, number>, what: string): readonly string[] {
  if (kinds.size === 0) return [];
  const total = [...kinds.values()].reduce((sum, count) => sum + count);
  const named = [...kinds].map(([kind, count]) => (count === 1 ? kind : `${count} ${kind}`));
  return [`${total} ${what}: ${named.join(', ')}`];
}

function countOf(all: readonly Judged[], verdict: Verdict): number {
  return all.filter(({ decision }) => verdictOf(decision) === verdict).length;
}

function conclude(all: readonly Judged[]): void {
  const [denied, unusable, unknown] = [
    countOf(all, 'denied'),
    countOf(all, 'unusable'),
    countOf(all, 'unknown'),
  ];
  const open = unusable + unknown;
  if (denied > 0) {
    const others = open === 0 ? '' : `, ${open} could not be judged`;
    throw new CliError('ERR_CHECK_FAILED', `${denied} of ${all.length} denied${others}`);
  }
  if (unusable > 0) {
    const message = `${open} of ${all.length} could not be judged: a policy cannot be used`;
    throw new CliError('ERR_USAGE', message, {
      hint: 'correct it, as it is said above; to try again does not help',
    });
  }
  if (unknown === 0) return;
  throw new CliError('ERR_NOT_ASKED', `${unknown} of ${all.length} could not be judged`, {
    hint: 'this says nothing about the images; registries were asked with your credentials (--docker-config): see what they said above, and try again',
  });
}
