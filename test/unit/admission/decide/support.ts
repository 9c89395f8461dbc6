// Requests as the API server sends them, and a judge with real keys over the registry in memory.

import { clusterAdvice } from '../../../../src/admission/advice.ts';
import type { AdmissionContext } from '../../../../src/admission/context.ts';
import type { ImageJudge } from '../../../../src/admission/images/image-judge.ts';
import { judgeImage } from '../../../../src/admission/images/judge-image.ts';
import type { KeySources } from '../../../../src/admission/images/policies/authorities.ts';
import { compileImagePolicies } from '../../../../src/admission/images/policies/compile-image-policies.ts';
import { demandsBy } from '../../../../src/admission/images/policies/demands.ts';
import { judgeRequest } from '../../../../src/admission/judge-request.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import type { SidecarRevision, SidecarSettings } from '../../../../src/admission/sidecar/settings.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import { createVerifier } from '../../../../src/signing/verify/verifier.ts';
import type { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { digest, now, repository } from '../../signing/verify/support.ts';
import { injected } from '../sidecar/support.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** It is what `signedRegistry` has, signed. */
export const signedImage = `${repository}@${digest}`;
/** The same registry has no signature of it. */
export const unsignedImage = `${repository}@sha256:${'ab'.repeat(32)}`;

const revision: SidecarRevision = {
  name: '1-40-0',
  image: `registry.example/envoy@sha256:${'e1'.repeat(32)}`,
};
export const settings: SidecarSettings = { revisions: [revision] };

/** @param spec of the pod, beside its one container */
export function pod(spec: JsonObject = {}, labels: Readonly<Record<string, string>> = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'trading', labels },
    spec: { containers: [container()], ...spec },
  };
}

export function container(changes: JsonObject = {}): JsonObject {
  return { name: 'app', image: signedImage, ...changes };
}

export function meshed(object: JsonObject): JsonObject {
  return injected(object, revision);
}

export function create(object: JsonObject, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: '8e5a2f4c-0001-4000-8000-000000000001',
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    subResource: undefined,
    namespace: 'trading',
    name: 'app',
    object,
    oldObject: undefined,
    dryRun: false,
    ...changes,
  };
}

export function update(
  oldObject: JsonObject,
  object: JsonObject,
  changes: Partial<AdmissionRequest> = {},
): AdmissionRequest {
  return create(object, { operation: 'UPDATE', oldObject, ...changes });
}

/** Workload kinds, with the template where each has it. */
export const workloads: Readonly<
  Record<string, readonly [AdmissionRequest['kind'], (template: JsonObject) => JsonObject]>
> = {
  Deployment: [{ group: 'apps', version: 'v1', kind: 'Deployment' }, (template) => ({ spec: { template } })],
  StatefulSet: [
    { group: 'apps', version: 'v1', kind: 'StatefulSet' },
    (template) => ({ spec: { template } }),
  ],
  DaemonSet: [{ group: 'apps', version: 'v1', kind: 'DaemonSet' }, (template) => ({ spec: { template } })],
  ReplicaSet: [{ group: 'apps', version: 'v1', kind: 'ReplicaSet' }, (template) => ({ spec: { template } })],
  ReplicationController: [
    { group: '', version: 'v1', kind: 'ReplicationController' },
    (template) => ({ spec: { template } }),
  ],
  Job: [{ group: 'batch', version: 'v1', kind: 'Job' }, (template) => ({ spec: { template } })],
  CronJob: [
    { group: 'batch', version: 'v1', kind: 'CronJob' },
    (template) => ({ spec: { jobTemplate: { spec: { template } } } }),
  ],
};

export function deployment(template: JsonObject, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return create(
    { spec: { template } },
    { kind: { group: 'apps', version: 'v1', kind: 'Deployment' }, ...changes },
  );
}

const noKeys: KeySources = {
  kms: async () => await Promise.reject(new Error('no KMS')),
  configMap: async () => undefined,
};
const verifier = createVerifier();
const compiledOf = (policies: readonly Policy[]) => compileImagePolicies(policies, noKeys);

/** Judges for certain, and asks for credentials before each request to the registry. */
export function judgeOver(registry: FakeRegistry, at: Date = now): ImageJudge {
  return {
    judge: async ({ reference, policies, credentials, signal }) =>
      await judgeImage(reference, compiledOf(policies), {
        ...{ verifier, signal, now: () => at },
        client: withCredentials(registry.client, async () => {
          await credentials.source(reference, signal);
        }),
      }),
    ...demandsBy(compiledOf),
    resolve: async ({ reference, signal }) => (await registry.client.resolve(reference, signal)).digest,
  };
}

function withCredentials(client: RegistryClient, ask: () => Promise<void>): RegistryClient {
  return {
    ...client,
    resolve: async (...args) => {
      await ask();
      return await client.resolve(...args);
    },
    referrers: async (...args) => {
      await ask();
      return await client.referrers(...args);
    },
  };
}

export function contextOf(
  registry: FakeRegistry,
  policies: readonly Policy[],
  changes: Partial<AdmissionContext> = {},
): AdmissionContext {
  return {
    policies,
    rootNamespace: 'trellis-system',
    judge: judgeOver(registry),
    credentials: async () => ({ scope: 'tests', source: anonymous }),
    sidecar: settings,
    advice: clusterAdvice,
    ...changes,
  };
}

export async function decisionOn(request: AdmissionRequest, context: AdmissionContext) {
  return await judgeRequest(request, context, new AbortController().signal);
}
