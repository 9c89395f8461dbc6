// Where the pods of an object are: it is one, or makes them from a template.

import { isRecord, ownField } from '../../model/manifest.ts';
import { quote } from '../../model/problem.ts';
import { AdmissionError } from '../errors.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { judgedKinds } from './judged-kinds.ts';
import { type Pod, readPod } from './read-pod.ts';

export interface JudgedPod {
  readonly kind: 'pod' | 'template';
  readonly pod: Pod;
  /** The same, as it came. */
  readonly object: Readonly<Record<string, unknown>>;
  /** Before the fields of the pod, for those of the object: empty, or `spec.template.`. */
  readonly fieldPrefix: string;
}

/** The `apiVersion` under which a kind is judged, if it is one; `v1` for Pods. */
export function judgedVersionOf(kind: string): string | undefined {
  const judged = judgedKinds.find((each) => each.kind === kind);
  return judged && [judged.group, judged.version].filter(Boolean).join('/');
}

/**
 * What the webhook is asked about and does not know would be let in unseen, and so is refused.
 * @param object of the request, as it is or as it was
 * @throws AdmissionError ERR_KIND_NOT_JUDGED, ERR_POD_INVALID
 */
export function podOf(
  { kind: { group, version, kind }, subResource }: Pick<AdmissionRequest, 'kind' | 'subResource'>,
  object: AdmissionRequest['object'],
): JudgedPod {
  const judged = judgedKinds.find(
    (each) => each.group === group && each.version === version && each.kind === kind,
  );
  const subResources: readonly (string | undefined)[] = [undefined, ...(judged?.subResources ?? [])];
  if (judged === undefined || !subResources.includes(subResource)) {
    const what = [group, version, kind, subResource].filter(Boolean).join('/');
    throw new AdmissionError(
      'ERR_KIND_NOT_JUDGED',
      `where ${quote(what)} has its pods is not known, so it cannot be let in: take it out of the rules of the webhook configuration`,
    );
  }
  const found = judged.path.reduce<unknown>(ownField, object);
  const field = judged.path.join('.');
  if (!isRecord(found)) {
    throw new AdmissionError('ERR_POD_INVALID', `${field}: there is no template of a pod`);
  }
  const pod = readPod(found, judged.path);
  return field === ''
    ? { kind: 'pod', pod, object: found, fieldPrefix: '' }
    : { kind: 'template', pod, object: found, fieldPrefix: `${field}.` };
}
