// `trellis admit`: each object by itself, and one end for all.

import type { Command } from 'commander';
import pc from 'picocolors';
import { holdingPolicies } from '../../admission/context.ts';
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
import {
  decisionJson,
  objectJson,
  renderDecision,
  type Verdict,
  verdictOf,
  verdicts,
} from './render-decision.ts';
import { sidecarSettings, sidecarText } from './sidecar-image.ts';

export interface AdmitOptions extends RegistryClientOptions {
  readonly filename: readonly string[];
  readonly policy: readonly string[];
  readonly namespace: string;
  readonly rootNamespace: string;
  readonly sidecarImage?: readonly string[];
  readonly exemptNamespace?: readonly string[];
  /** Milliseconds. */
  readonly deadline: number;
  readonly json?: true;
}

/** Objects at the same time: each may look at several registries. */
const maxParallel = 8;

interface Judged {
  readonly manifest: PodManifest;
  readonly decision: AdmissionDecision;
  /** Whether any policy holds for its namespace: a misspelt one is allowed everything. */
  readonly hasPolicies: boolean;
}

/** What is said at the end, about all. */
interface Outcome extends Omit<PodManifests, 'judged'> {
  readonly all: readonly Judged[];
  /** Of namespaces that the cluster asks no webhook about. */
  readonly exempt: readonly PodManifest[];
  readonly sidecar: SidecarSettings | undefined;
}

/** @throws CliError when an object is denied or could not be judged; what else is wrong with what was given */
export async function runAdmit(options: AdmitOptions, command: Command): Promise<void> {
  const { filename, namespace, rootNamespace, deadline, json } = options;
  refuseTwoStreams([...filename, ...options.policy]);
  const sidecar = sidecarSettings(options.sidecarImage ?? []);
  const policies = await readPolicyFiles(options.policy);
  const { judged: found, ...others } = await readPodManifests(filename, namespace);
  if (found.length === 0) throw nothingToJudge(others);
  const isExempt = ({ request }: PodManifest): boolean =>
    options.exemptNamespace?.includes(request.namespace) === true;
  const manifests = found.filter((manifest) => !isExempt(manifest));
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
      const judging = manifests.slice(start, start + maxParallel).map(async (manifest) => ({
        manifest,
        decision: await decisionOn(manifest, context, deadline),
        hasPolicies: holdingPolicies(context, manifest.request.namespace).length > 0,
      }));
      all.push(...(await Promise.all(judging)));
    }
    const outcome: Outcome = { all, exempt: found.filter(isExempt), sidecar, ...others };
    if (json) printJson(command, documentOf(outcome));
    else for (const line of linesOf(outcome)) print(command, line);
    conclude(all);
  } finally {
    await client.close();
  }
}

function nothingToJudge({ passedOver, notKnown }: Omit<PodManifests, 'judged'>): CliError {
  const seen = [...noteOn(passedOver, passedOverText), ...noteOn(notKnown, notKnownText)];
  const there = seen.length === 0 ? '' : `: ${seen.join('; ')}`;
  return new CliError('ERR_USAGE', `there is nothing in these manifests that can be judged${there}`, {
    hint: 'give Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, ReplicationControllers, Jobs or CronJobs',
  });
}

function documentOf({ all, exempt, sidecar, passedOver, notKnown }: Outcome) {
  return {
    ok: all.every(({ decision }) => decision.allowed),
    sidecarImages: sidecar?.revisions.map(({ image }) => image) ?? [],
    objects: all.map(({ manifest, decision, hasPolicies }) => ({
      ...decisionJson(manifest, decision),
      hasPolicies,
    })),
    exempt: exempt.map(objectJson),
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
  // All of them exempt: then that is said of each.
  if (namespaces.length === 0) return;
  if (namespaces.some((each) => policiesForNamespace(policies, rootNamespace, each).length > 0)) return;
  const own = [...new Set(policies.map(({ namespace }) => namespace))].join(', ');
  throw new CliError('ERR_USAGE', `no policy holds for ${namespaces.join(', ')}: they are of ${own}`, {
    hint: `name the namespace of the manifests with -n, that of the policies in their metadata, or the mesh's with --root-namespace (${rootNamespace})`,
  });
}

function linesOf({ all, exempt, sidecar, passedOver, notKnown }: Outcome): readonly string[] {
  const tally = verdicts.flatMap((verdict) => {
    const count = countOf(all, verdict);
    return count === 0 ? [] : [`${count} ${verdictTexts[verdict]}`];
  });
  const notes = [
    `${all.length} judged, as where ${sidecarText(sidecar)}${tally.length === 0 ? '' : `: ${tally.join(', ')}`}`,
    ...noteOn(countNamespaces(exempt), 'not judged, as their namespaces are exempt (--exempt-namespace)'),
    ...noteOn(passedOver, passedOverText),
    ...noteOn(notKnown, notKnownText),
    ...unprotectedNote(all),
  ];
  return [
    ...all.map(({ manifest, decision }) => renderDecision(manifest.name, decision)),
    ...exempt.map(({ name }) => `${pc.yellow('not judged: exempt')}  ${escapeInvisible(name)}`),
    ...notes.map(escapeInvisible),
  ];
}

const passedOverText = 'passed over, as they make no pods';
const notKnownText =
  'NOT LOOKED INTO, as nothing is known of their kinds; pods that they make are judged in the cluster';

function countNamespaces(manifests: readonly PodManifest[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { request } of manifests) {
    counts.set(request.namespace, (counts.get(request.namespace) ?? 0) + 1);
  }
  return counts;
}

/** The last line: whoever misspelt a namespace sees it beside a green answer. */
function unprotectedNote(all: readonly Judged[]): readonly string[] {
  const without = all.filter(({ hasPolicies }) => !hasPolicies);
  if (without.length === 0) return [];
  const namespaces = [...new Set(without.map(({ manifest }) => manifest.request.namespace))].join(', ');
  return [
    `${without.length} of ${all.length} ${without.length === 1 ? 'has' : 'have'} no policy at all, so that everything is allowed there: ${namespaces}`,
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
