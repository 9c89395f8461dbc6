// Pods with and without a sidecar, as authors write them and as the API server stores them.

import { applyPatch } from '../../../../src/admission/mutate/apply-patch.ts';
import type { JsonPatch } from '../../../../src/admission/mutate/json-patch.ts';
import { sidecarPatch } from '../../../../src/admission/mutate/sidecar-patch.ts';
import type { PodObject } from '../../../../src/admission/sidecar/pod-object.ts';
import type { SidecarRevision, SidecarSettings } from '../../../../src/admission/sidecar/settings.ts';
import type { Policy } from '../../../../src/model/mesh.ts';

export const revision: SidecarRevision = {
  name: '1-40-0',
  image: `docker.io/envoyproxy/envoy@sha256:${'a'.repeat(64)}`,
};
export const olderRevision: SidecarRevision = {
  name: '1-39-2',
  image: `docker.io/envoyproxy/envoy@sha256:${'b'.repeat(64)}`,
};
export const settings: SidecarSettings = { revisions: [revision, olderRevision] };

/** What tests change freely. */
export interface TestPod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: Record<string, unknown>;
  spec: {
    initContainers?: Record<string, unknown>[];
    containers: Record<string, unknown>[];
    ephemeralContainers?: Record<string, unknown>[];
    volumes?: Record<string, unknown>[];
    [field: string]: unknown;
  };
}

export function plainPod(): TestPod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'orders-0', namespace: 'trading', labels: { app: 'orders' } },
    spec: { containers: [{ name: 'app', image: 'registry.example/trading/orders:1' }] },
  };
}

/** Of its own: tests may change it in place. */
export function meshedPod(of: SidecarRevision = revision, pod: PodObject = asObject(plainPod())): TestPod {
  return injected(pod, of) as unknown as TestPod;
}

/** The pod as admission would have it with its sidecar. */
export function injected(pod: PodObject, of: SidecarRevision): PodObject {
  return patched(pod, sidecarPatch(pod, of));
}

export function asObject(pod: TestPod): PodObject {
  return pod as unknown as PodObject;
}

/** Sets, or with undefined removes, the value at a path such as `spec.volumes.0.csi.readOnly`. */
export function changed(pod: TestPod, path: string, value: unknown): TestPod {
  const copy = structuredClone(pod);
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  const parent = steps.reduce(
    (at, step) => at[step] as Record<string, unknown>,
    copy as unknown as Record<string, unknown>,
  );
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

export function policy(spec: Policy['spec'], namespace = 'trading', name = 'a'): Policy {
  return { namespace, name, spec };
}

/** As the API server does it. */
export function patched(object: PodObject, patch: JsonPatch): PodObject {
  const copy = applyPatch(object, patch);
  if (copy === undefined) throw new Error('the patch does not fit');
  return copy;
}
