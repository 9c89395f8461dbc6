// What the API server posts to a webhook: an AdmissionReview (admission.k8s.io/v1). Read are the fields that are judged by, and
// those strictly; who asks is not among them, so that nobody is an exception.

import { z } from 'zod';
import { isRecord } from '../../model/manifest.ts';
import { isDnsLabel, isUid } from '../../model/names.ts';
import { readWith } from '../../model/read-with.ts';
import { AdmissionError } from '../errors.ts';
import type { AdmissionRequest } from './request.ts';

/** Names of groups, versions and kinds are DNS names, or shorter. */
const maxNameChars = 253;

const name = z.string().max(maxNameChars);
/** As it came, without a copy: pods are large. */
const object = z.custom<Readonly<Record<string, unknown>>>(isRecord, 'not an object');

const review = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z
    .object({
      uid: z.string().refine(isUid, 'not a uid'),
      // Of the object below; `requestKind` is what the caller sent before it was converted.
      kind: z.object({ group: name, version: name, kind: name }),
      subResource: name.nullish(),
      operation: z.enum(['CREATE', 'UPDATE'], 'the webhook judges CREATE and UPDATE'),
      namespace: z.string().refine(isDnsLabel, 'not a namespace'),
      name: name.nullish(),
      object,
      oldObject: object.nullish(),
      dryRun: z.boolean().nullish(),
    })
    .refine(({ operation, oldObject }) => operation === 'CREATE' || oldObject != null, {
      message: 'an update comes with the object as it was',
      path: ['oldObject'],
    }),
});

/** @throws AdmissionError ERR_REVIEW_INVALID */
export function parseReview(body: unknown): AdmissionRequest {
  const { value, issues } = readWith(review, body);
  if (value === undefined) {
    const problems = issues.map(({ message }) => message).join('; ');
    throw new AdmissionError(
      'ERR_REVIEW_INVALID',
      `this is no AdmissionReview (admission.k8s.io/v1) that can be judged: ${problems}; see the rules of the webhook configuration`,
    );
  }
  const { uid, kind, subResource, operation, namespace, oldObject, dryRun, ...request } = value.request;
  return {
    uid,
    kind,
    // Go writes what is not there as an empty text.
    subResource: subResource || undefined,
    operation,
    namespace,
    name: request.name || undefined,
    object: request.object,
    oldObject: operation === 'UPDATE' ? (oldObject ?? undefined) : undefined,
    dryRun: dryRun ?? false,
  };
}
