// What an API server asks about a pod.

import type { AdmissionRequest } from '../../src/admission/review/request.ts';

/** A new one, unless the changes say otherwise. */
export function requestOf(
  object: AdmissionRequest['object'],
  changes: Partial<AdmissionRequest> = {},
): AdmissionRequest {
  return {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    ...{ subResource: undefined, namespace: 'trading', name: 'app' },
    ...{ object, oldObject: undefined, dryRun: false },
    ...changes,
  };
}

/** As it is posted. */
export function reviewOf(request: object): object {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
}
