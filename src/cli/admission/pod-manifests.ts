// Pods, and what makes pods, out of the manifests of a command line.

import { AdmissionError } from '../../admission/errors.ts';
import { type JudgedPod, podOf } from '../../admission/pod/pod-of.ts';
import type { AdmissionRequest } from '../../admission/review/request.ts';
import { groupOf } from '../../model/kinds.ts';
import { isRecord, type Manifest, ownField } from '../../model/manifest.ts';
import { isDnsLabel } from '../../model/names.ts';
import { nearestName } from '../../model/nearest.ts';
import { quote } from '../../model/problem.ts';
import { CliError } from '../errors.ts';
import { readManifestFiles } from '../manifest-files.ts';
import { knowledgeOf } from './known-kinds.ts';

export interface PodManifest {
  /** As messages call it: `Deployment trading/gateway in deploy/gateway.yaml:12`. */
  readonly name: string;
  /** Path, or `standard input`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** That it be made, as the API server would ask. */
  readonly request: AdmissionRequest;
}

export interface PodManifests {
  readonly judged: readonly PodManifest[];
  /** Kinds that make no pods, with how many there were. */
  readonly passedOver: ReadonlyMap<string, number>;
  /** Kinds of others, which may make pods, with their group: `Rollout (argoproj.io)`. */
  readonly notKnown: ReadonlyMap<string, number>;
}

/**
 * @param paths files, directories, `-` for standard input
 * @param namespace of manifests that name none
 * @throws CliError ERR_USAGE that names the file, and what in it
 */
export async function readPodManifests(paths: readonly string[], namespace: string): Promise<PodManifests> {
  const judged: PodManifest[] = [];
  const passedOver = new Map<string, number>();
  const notKnown = new Map<string, number>();
  const count = (into: Map<string, number>, what: string) => into.set(what, (into.get(what) ?? 0) + 1);
  for (const { path, manifests } of await readManifestFiles('the manifest', paths)) {
    for (const manifest of manifests) {
      const asked = podManifest(manifest, namespace, path);
      const { kind, group } = asked.request.kind;
      const makes = makesPods(asked);
      if (makes === 'yes') judged.push(asked);
      else if (makes === 'no') count(passedOver, kind);
      else count(notKnown, `${kind} (${group})`);
    }
  }
  return { judged, passedOver, notKnown };
}

/** The only one that is a pod or makes pods. @throws CliError ERR_USAGE */
export async function readOnePodManifest(path: string, namespace: string): Promise<PodManifest> {
  const { judged } = await readPodManifests([path], namespace);
  const [first, ...others] = judged;
  if (first !== undefined && others.length === 0) return first;
  throw new CliError(
    'ERR_USAGE',
    `${path} holds ${judged.length} objects that are pods or make pods, and one is asked for`,
    { hint: 'give a file with that one alone' },
  );
}

function podManifest({ content, locate }: Manifest, namespace: string, file: string): PodManifest {
  const [apiVersion, kind] = [ownField(content, 'apiVersion'), ownField(content, 'kind')];
  const metadata = ownField(content, 'metadata');
  const line = locate?.([]).line ?? 1;
  const where = `${file}:${line}`;
  if (!isRecord(content) || typeof apiVersion !== 'string' || typeof kind !== 'string') {
    throw new CliError('ERR_USAGE', `${where}: a manifest names its apiVersion and kind`);
  }
  // Templates leave it empty, and kubectl takes that for none.
  const own = ownField(metadata, 'namespace') || namespace;
  if (typeof own !== 'string' || !isDnsLabel(own)) {
    throw new CliError('ERR_USAGE', `${where}: ${quote(own)} is no namespace`);
  }
  const name = ownField(metadata, 'name') ?? ownField(metadata, 'generateName');
  const shown = typeof name === 'string' ? `${own}/${name}` : `of ${own}, without a name,`;
  return {
    ...{ file, line, name: `${kind} ${shown} in ${where}` },
    request: {
      uid: 'offline',
      operation: 'CREATE',
      kind: { group: groupOf(apiVersion), version: apiVersion.slice(apiVersion.indexOf('/') + 1), kind },
      subResource: undefined,
      namespace: own,
      name: typeof name === 'string' ? name : undefined,
      object: content,
      oldObject: undefined,
      dryRun: true,
    },
  };
}

/** @throws CliError ERR_USAGE for what an API server would not take: to pass over it would look like a yes */
function makesPods({ name, request }: PodManifest): 'yes' | 'no' | 'unknown' {
  const pod = podIn(name, request);
  if (pod !== undefined) {
    refuseWithoutContainers(name, pod);
    return 'yes';
  }
  const known = knowledgeOf(request.kind.group, request.kind.kind);
  if ('makesPods' in known) return known.makesPods;
  throw new CliError('ERR_USAGE', `${name}: ${known.mistake}`, { hint: known.hint });
}

/** @returns undefined where it is not known where its pods are @throws CliError ERR_USAGE */
function podIn(name: string, request: AdmissionRequest): JudgedPod | undefined {
  try {
    return podOf(request, request.object);
  } catch (error) {
    if (!(error instanceof AdmissionError)) throw error;
    if (error.code === 'ERR_KIND_NOT_JUDGED') return undefined;
    throw new CliError('ERR_USAGE', `${name}: ${error.message}`, { cause: error });
  }
}

/** The lists of a pod's spec that its images are in. */
const judgedLists = ['containers', 'initContainers', 'ephemeralContainers', 'volumes'] as const;

/** What stands in a list that is misspelt is judged by nobody; API servers demand containers (validation.go, ValidatePodSpec). */
function refuseWithoutContainers(name: string, { pod, object, fieldPrefix }: JudgedPod): void {
  const spec = ownField(object, 'spec');
  const strange = Object.keys(isRecord(spec) ? spec : {}).filter(
    (key) => !judgedLists.some((list) => list === key),
  );
  for (const key of strange) {
    const near = nearestName(key, judgedLists);
    if (near === undefined) continue;
    throw new CliError('ERR_USAGE', `${name}: ${fieldPrefix}spec has no field ${quote(key)}`, {
      hint: `did you mean ${near}?`,
    });
  }
  if (pod.spec.containers.length > 0) return;
  throw new CliError('ERR_USAGE', `${name}: ${fieldPrefix}spec.containers is empty or missing`, {
    hint: 'no API server takes a pod without containers',
  });
}
