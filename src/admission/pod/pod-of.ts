// Where the pods of an object are: it is one, or makes them from a template.

import { isRecord, ownField } from '../../model/manifest.ts';
import { quote } from '../../model/problem.ts';
import { AdmissionError } from '../errors.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { type Pod, readPod } from './read-pod.ts';

export interface JudgedPod {
  readonly kind: 'pod' | 'template';
  readonly pod: Pod;
  /** The same, as it came. */
  readonly object: Readonly<Record<string, unknown>>;
  /** Before the fields of the pod, for those of the object: empty, or `spec.template.`. */
  readonly fieldPrefix: string;
}

interface PodPlace {
  readonly kind: JudgedPod['kind'];
  readonly path: readonly string[];
  /** `scale`, `status` and the like change no pod. */
  readonly subResources: readonly (string | undefined)[];
}

const template: PodPlace = { kind: 'template', path: ['spec', 'template'], subResources: [undefined] };

/** By group, version and kind: what the rules of the webhook ask about. Another one would be let in unseen, and so is refused. */
const places: ReadonlyMap<string, PodPlace> = new Map([
  ['/v1/Pod', { kind: 'pod', path: [], subResources: [undefined, 'ephemeralcontainers', 'resize'] }],
  ['/v1/ReplicationController', template],
  ['apps/v1/Deployment', template],
  ['apps/v1/ReplicaSet', template],
  ['apps/v1/StatefulSet', template],
  ['apps/v1/DaemonSet', template],
  ['batch/v1/Job', template],
  ['batch/v1/CronJob', { ...template, path: ['spec', 'jobTemplate', 'spec', 'template'] }],
]);

/** The `apiVersion` under which a kind is judged, if it is one; `v1` for Pods. */
export function judgedVersionOf(kind: string): string | undefined {
  const key = [...places.keys()].find((each) => each.endsWith(`/${kind}`));
  return key?.slice(key.startsWith('/') ? 1 : 0, -`/${kind}`.length);
}

/**
 * @param object of the request, as it is or as it was
 * @throws AdmissionError ERR_KIND_NOT_JUDGED, ERR_POD_INVALID
 */
export function podOf(
  { kind: { group, version, kind }, subResource }: Pick<AdmissionRequest, 'kind' | 'subResource'>,
  object: AdmissionRequest['object'],
): JudgedPod {
  const place = places.get(`${group}/${version}/${kind}`);
  if (place === undefined || !place.subResources.includes(subResource)) {
    const what = [group, version, kind, subResource].filter(Boolean).join('/');
    throw new AdmissionError(
      'ERR_KIND_NOT_JUDGED',
      `where ${quote(what)} has its pods is not known, so it cannot be let in: take it out of the rules of the webhook configuration`,
    );
  }
  const found = place.path.reduce<unknown>(ownField, object);
  const field = place.path.join('.');
  if (!isRecord(found)) {
    throw new AdmissionError('ERR_POD_INVALID', `${field}: there is no template of a pod`);
  }
  const pod = readPod(found, place.path);
  return { kind: place.kind, pod, object: found, fieldPrefix: field === '' ? '' : `${field}.` };
}
