// What admission changes about a pod, so that a pod as people write it can pass: tags become digests, and the sidecar comes in.
// Nobody trusts the outcome: it fails open, other webhooks come after it, and whoever validates looks at the final object alone.

import { ownField } from '../../model/manifest.ts';
import type { Policy } from '../../model/mesh.ts';
import { type AdmissionContext, holdingPolicies } from '../context.ts';
import type { ImageJudge, PullCredentials } from '../images/image-judge.ts';
import { changedImages, type ImageUse, imagesOf } from '../pod/images.ts';
import { type JudgedPod, podOf } from '../pod/pod-of.ts';
import { pullIdentityOf } from '../pod/pull-identity.ts';
import type { Pod } from '../pod/read-pod.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { injectionObstacle } from '../sidecar/injection-obstacle.ts';
import type { SidecarSettings } from '../sidecar/settings.ts';
import { shouldBeMeshed } from '../sidecar/should-be-meshed.ts';
import type { JsonPatch } from './json-patch.ts';
import { pinImages } from './pin-images.ts';
import { sidecarPatch } from './sidecar-patch.ts';

export type MutationContext = Omit<AdmissionContext, 'judge' | 'advice'> & {
  readonly judge: Pick<ImageJudge, 'mustBeDigest' | 'resolve'>;
};

/** Never rejects: what cannot be done is left out. Done to its own outcome it changes nothing. */
export async function mutate(
  request: AdmissionRequest,
  context: MutationContext,
  signal: AbortSignal,
): Promise<JsonPatch> {
  const judged = readable(request, request.object);
  if (judged?.kind !== 'pod' || isLeftAlone(judged)) return [];
  const policies = holdingPolicies(context, request.namespace);
  let credentials: Promise<PullCredentials> | undefined;
  const images = await pinImages(newImages(request, judged.pod), {
    ...{ judge: context.judge, policies, signal },
    asker: { tenant: request.namespace, request: request.uid },
    credentials: () => {
      credentials ??= context.credentials(pullIdentityOf(request.namespace, judged.pod), signal);
      return credentials;
    },
  });
  // After the images: it moves the init containers.
  return [...images, ...sidecarFor(request, judged, policies, context.sidecar)];
}

/** Undefined where no pod is in it, or none that can be read: whoever validates says so. */
function readable(request: AdmissionRequest, object: AdmissionRequest['object']): JudgedPod | undefined {
  try {
    return podOf(request, object);
  } catch {
    return undefined;
  }
}

/** The kubelet writes it on what stands for a static pod: that runs already, whatever is done to its image here. */
const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** Static pods, and pods on the network of their node: what the network itself needs must not wait for a registry. */
function isLeftAlone({ pod, object }: JudgedPod): boolean {
  const annotations = ownField(object['metadata'], 'annotations');
  return pod.spec.hostNetwork === true || ownField(annotations, mirrorAnnotation) !== undefined;
}

/** All of a new pod; of an update those that were not there, or were others. */
function newImages(request: AdmissionRequest, pod: Pod): readonly ImageUse[] {
  const images = imagesOf(pod).filter(
    ({ list }) => request.subResource === undefined || list === 'ephemeralContainers',
  );
  if (request.operation === 'CREATE') return images;
  const before = request.oldObject && readable(request, request.oldObject);
  return before === undefined ? [] : changedImages(images, imagesOf(before.pod));
}

function sidecarFor(
  { operation }: AdmissionRequest,
  { pod, object }: JudgedPod,
  policies: readonly Policy[],
  settings: SidecarSettings | undefined,
): JsonPatch {
  if (operation !== 'CREATE' || settings === undefined) return [];
  if (injectionObstacle(pod) !== undefined || !shouldBeMeshed(policies, pod.metadata.labels)) return [];
  return sidecarPatch(object, settings.revisions[0]);
}
