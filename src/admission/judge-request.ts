// The decision about an object: a function of what is asked, of the policies, and of what registries have. It reads no annotation,
// makes no exception for anyone, and what it cannot know it does not let in.

import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../model/mesh.ts';
import { enforcements } from '../policy/enforcement.ts';
import { type AdmissionContext, holdingPolicies } from './context.ts';
import { judgeImages } from './decide/judge-images.ts';
import { judgePromises, selectingPolicies, sidecarOf } from './decide/judge-promises.ts';
import type { AdmissionDecision, Finding } from './decision.ts';
import { changedImages, type ImageUse, imagesOf } from './pod/images.ts';
import { type JudgedPod, podOf } from './pod/pod-of.ts';
import { pullIdentityOf } from './pod/pull-identity.ts';
import type { AdmissionRequest } from './review/request.ts';
import type { SidecarSettings } from './sidecar/settings.ts';

const unchanged: AdmissionDecision = { allowed: true, findings: [], images: [], unchanged: true };

/**
 * @param signal ends with the time that the API server gives; what is not known by then counts as unknown
 * @throws AdmissionError for what cannot be judged at all: it must not be let in either
 */
export async function judgeRequest(
  request: AdmissionRequest,
  context: AdmissionContext,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const judged = podOf(request, request.object);
  const before = request.oldObject && podOf(request, request.oldObject);
  const policies = holdingPolicies(context, request.namespace);
  const { advice, sidecar } = context;
  if (before !== undefined && isUnchanged(judged, before, policies)) return unchanged;

  // Pods of a template come anew, all of them: what they were like before is no help.
  const earlier = judged.kind === 'pod' ? before : undefined;
  const { findings, images } = await judgeImages({
    asker: { tenant: request.namespace, request: request.uid },
    images: imagesToJudge(judged, earlier, sidecar).map((use) => ({
      ...use,
      field: `${judged.fieldPrefix}${use.field}`,
    })),
    kind: judged.kind,
    policies,
    advice,
    judge: context.judge,
    credentials: async () => await context.credentials(pullIdentityOf(request.namespace, judged.pod), signal),
    signal,
  });
  const promises = judgePromises(judged, earlier, { policies, sidecar, advice });
  return decide([...findings, ...promises], images);
}

/** Finalizers, annotations, and labels that no policy selects on: they must not get stuck on a key that was rotated meanwhile. */
function isUnchanged(now: JudgedPod, before: JudgedPod, policies: readonly Policy[]): boolean {
  return (
    isDeepStrictEqual(now.object['spec'], before.object['spec']) &&
    isDeepStrictEqual(selectingPolicies(policies, now), selectingPolicies(policies, before))
  );
}

/** Of an update, those that it brings. The sidecar's image is the mesh's own, and pinned by its settings. */
function imagesToJudge(
  judged: JudgedPod,
  earlier: JudgedPod | undefined,
  settings: SidecarSettings | undefined,
): readonly ImageUse[] {
  const isSidecar = sidecarOf(judged, settings);
  const others = imagesOf(judged.pod).filter(({ list, name }) => list === 'volumes' || !isSidecar(name));
  return earlier === undefined ? others : changedImages(others, imagesOf(earlier.pod));
}

function decide(findings: readonly Finding[], images: AdmissionDecision['images']): AdmissionDecision {
  return {
    allowed: findings.every(({ enforcement }) => enforcement !== 'enforce'),
    findings: findings.toSorted(
      (a, b) => enforcements.indexOf(a.enforcement) - enforcements.indexOf(b.enforcement),
    ),
    images,
    unchanged: false,
  };
}
