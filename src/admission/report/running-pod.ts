// Pods as lists have them, and as admission would be asked about them.

import { isRecord, ownField } from '../../model/manifest.ts';
import type { AdmissionRequest } from '../review/request.ts';
import type { PodReference } from './report-results.ts';

export interface RunningPod extends PodReference {
  readonly object: AdmissionRequest['object'];
}

/** Undefined for what has run to its end. */
export function readRunningPod(object: unknown): RunningPod | undefined {
  if (!isRecord(object)) return undefined;
  const metadata = ownField(object, 'metadata');
  const [namespace, name, uid] = ['namespace', 'name', 'uid'].map((key) => ownField(metadata, key));
  const phase = ownField(ownField(object, 'status'), 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
  // Lists leave out what their items are.
  return { namespace, name, uid, object: { ...object, apiVersion: 'v1', kind: 'Pod' } };
}

/** As if it were made now; nothing may be written because of it. */
export function asCreated({ namespace, name, uid, object }: RunningPod): AdmissionRequest {
  return {
    ...{ uid, operation: 'CREATE', namespace, name, object, dryRun: true },
    kind: { group: '', version: 'v1', kind: 'Pod' },
    ...{ subResource: undefined, oldObject: undefined },
  };
}
