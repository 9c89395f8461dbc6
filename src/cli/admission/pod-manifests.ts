// Pods, and what makes pods, out of the manifests of a command line.

import { AdmissionError } from '../../admission/errors.ts';
import { judgedVersionOf, podOf } from '../../admission/pod/pod-of.ts';
import type { AdmissionRequest } from '../../admission/review/request.ts';
import { isRecord, type Manifest, ownField } from '../../model/manifest.ts';
import { isDnsLabel } from '../../model/names.ts';
import { quote } from '../../model/problem.ts';
import { CliError } from '../errors.ts';
import { readManifestFiles } from '../manifest-files.ts';

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
  /** Kinds of which it is not known where they have pods, with how many there were. */
  readonly passedOver: ReadonlyMap<string, number>;
}

/**
 * @param paths files, directories, `-` for standard input
 * @param namespace of manifests that name none
 * @throws CliError ERR_USAGE that names the file, and what in it
 */
export async function readPodManifests(paths: readonly string[], namespace: string): Promise<PodManifests> {
  const judged: PodManifest[] = [];
  const passedOver = new Map<string, number>();
  for (const { path, manifests } of await readManifestFiles('the manifest', paths)) {
    for (const manifest of manifests) {
      const asked = podManifest(manifest, namespace, path);
      const { kind } = asked.request.kind;
      if (makesPods(asked)) judged.push(asked);
      else passedOver.set(kind, (passedOver.get(kind) ?? 0) + 1);
    }
  }
  return { judged, passedOver };
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
  const slash = apiVersion.indexOf('/');
  const shown = typeof name === 'string' ? `${own}/${name}` : `of ${own}, without a name,`;
  return {
    ...{ file, line, name: `${kind} ${shown} in ${where}` },
    request: {
      uid: 'offline',
      operation: 'CREATE',
      kind: { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1), kind },
      subResource: undefined,
      namespace: own,
      name: typeof name === 'string' ? name : undefined,
      object: content,
      oldObject: undefined,
      dryRun: true,
    },
  };
}

/** What API servers had these kinds in before. Groups of others have kinds of the same names, which are none of these. */
const olderGroups = ['', 'apps', 'batch', 'extensions'];

/** @throws CliError ERR_USAGE */
function makesPods({ name, request }: PodManifest): boolean {
  try {
    podOf(request, request.object);
    return true;
  } catch (error) {
    if (!(error instanceof AdmissionError)) throw error;
    if (error.code !== 'ERR_KIND_NOT_JUDGED') {
      throw new CliError('ERR_USAGE', `${name}: ${error.message}`, { cause: error });
    }
  }
  const { group, kind } = request.kind;
  const version = judgedVersionOf(kind);
  if (version === undefined || !olderGroups.includes(group)) return false;
  // To pass over it would look like a yes.
  throw new CliError('ERR_USAGE', `${name}: of this apiVersion it is not judged`, {
    hint: `write apiVersion: ${version}`,
  });
}
