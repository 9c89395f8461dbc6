// What becomes of an object that nobody has sent to an API server yet: changed, and then judged, by the same code.

import type { AdmissionContext } from './context.ts';
import type { AdmissionDecision } from './decision.ts';
import { judgeRequest } from './judge-request.ts';
import { applyPatch } from './mutate/apply-patch.ts';
import { mutate } from './mutate/mutate.ts';
import type { AdmissionRequest } from './review/request.ts';

/** @throws as judgeRequest */
export async function admitRequest(
  request: AdmissionRequest,
  context: AdmissionContext,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const patch = await mutate(request, context, signal);
  // A patch that does not fit changes nothing, as where the webhook that makes it is away.
  const object = applyPatch(request.object, patch) ?? request.object;
  return await judgeRequest({ ...request, object }, context, signal);
}
