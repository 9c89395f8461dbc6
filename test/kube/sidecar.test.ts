// The sidecar in a real API server, with the admission plugins that add to pods (ServiceAccount, LimitRanger, AlwaysPullImages,
// Pod Security) and with other people's webhooks before and after ours. What kubectl makes has to come out as it was rendered.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type MutationContext, mutate } from '../../src/admission/mutate/mutate.ts';
import { parseReview } from '../../src/admission/review/parse-review.ts';
import type { AdmissionRequest } from '../../src/admission/review/request.ts';
import { type AdmissionReview, patchReview } from '../../src/admission/review/write-review.ts';
import { checkSidecar } from '../../src/admission/sidecar/check-sidecar.ts';
import { itemsOf, type JsonObject, type PodObject, specOf } from '../../src/admission/sidecar/pod-object.ts';
import { renderSidecar } from '../../src/admission/sidecar/render.ts';
import type { SidecarRevision, SidecarSettings } from '../../src/admission/sidecar/settings.ts';
import { anonymous } from '../../src/registry/auth/credentials.ts';
import { type Digest, digestOf } from '../../src/registry/digest.ts';
import { formatReference } from '../../src/registry/reference.ts';
import { untilAccount } from '../support/kube/account.ts';
import { type StandInWebhook, startStandInWebhook } from '../support/kube/stand-in-webhook.ts';
import { type Kube, type KubectlResult, startKube } from '../support/kube.ts';
import { makeTls } from '../support/registry/tls.ts';
import { until } from '../support/until.ts';
import { injected } from '../unit/admission/sidecar/support.ts';

const revisionOf = (letter: string): SidecarRevision => ({
  name: `r-${letter}`,
  image: `registry.example/envoy@sha256:${letter.repeat(64)}`,
});
const revision = revisionOf('a');
const settings: SidecarSettings = { revisions: [revision, revisionOf('b')] };

/** Changes between tests: what is up, and what others do to pods. */
interface Behaviour {
  mutates: boolean;
  first: (pod: PodObject) => readonly object[];
  last: (pod: PodObject) => readonly object[];
}
let behaviour: Behaviour;
let kube: Kube;

const context: MutationContext = {
  policies: [
    { namespace: 'trading', name: 'encrypted', spec: { postQuantumEncryption: 'required' } },
    { namespace: 'limited', name: 'encrypted', spec: { postQuantumEncryption: 'preferred' } },
  ],
  rootNamespace: 'trellis-system',
  judge: {
    mustBeDigest: ({ path }) => path.startsWith('signed/'),
    resolve: async ({ reference }) => digestOfTag(formatReference(reference)),
  },
  credentials: async () => ({ scope: '', source: anonymous }),
  sidecar: settings,
};

function digestOfTag(reference: string): Digest {
  return digestOf(Buffer.from(reference));
}

beforeAll(async () => {
  kube = await startKube({
    controllerManager: true,
    apiServerArgs: ['--enable-admission-plugins=AlwaysPullImages'],
  });
  await serveWebhooks();
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  for (const [name, labels] of Object.entries({ trading: restricted, limited: restricted, plain: {} })) {
    await kube.create('/api/v1/namespaces', { metadata: { name, labels } });
  }
  await kube.create('/api/v1/namespaces/limited/limitranges', {
    metadata: { name: 'defaults' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m', memory: '256Mi', 'ephemeral-storage': '1Gi' },
          defaultRequest: { cpu: '100m', memory: '128Mi' },
        },
      ],
    },
  });
  for (const namespace of ['trading', 'limited', 'plain']) await untilAccount(kube, namespace);
});

beforeEach(() => {
  behaviour = { mutates: true, first: () => [], last: () => [] };
});

/** Ours between two of others, in the order of their names. */
async function serveWebhooks(): Promise<void> {
  const server = await startStandInWebhook(await makeTls(), (path, review) =>
    answer(path, parseReview(review)),
  );
  const hooks = [
    ['Mutating', 'a-others', '/first', 'Ignore'],
    ['Mutating', 'trellis-webhook', '/mutate', 'Ignore'],
    ['Mutating', 'z-others', '/last', 'Ignore'],
    ['Validating', 'trellis-webhook', '/validate', 'Fail'],
  ] as const;
  for (const [kind, name, path, failurePolicy] of hooks) {
    const plural = `${kind.toLowerCase()}webhookconfigurations`;
    await kube.create(
      `/apis/admissionregistration.k8s.io/v1/${plural}`,
      configuration(kind, name, path, failurePolicy, server),
    );
  }
}

function configuration(
  kind: 'Mutating' | 'Validating',
  name: string,
  path: string,
  failurePolicy: string,
  server: StandInWebhook,
): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name },
    webhooks: [
      {
        name: `${path.slice(1)}.trellis.quantum.io`,
        clientConfig: server.clientConfig(path),
        rules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['pods', 'pods/ephemeralcontainers'],
          },
        ],
        namespaceSelector: {
          matchExpressions: [
            { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['trading', 'limited', 'plain'] },
          ],
        },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy,
        ...(kind === 'Mutating' && { reinvocationPolicy: 'IfNeeded' }),
      },
    ],
  };
}

/** Undefined: an error of the server. */
async function answer(path: string, request: AdmissionRequest): Promise<AdmissionReview | undefined> {
  switch (path) {
    case '/first':
      return patchReview(request.uid, behaviour.first(request.object));
    case '/last':
      return patchReview(request.uid, behaviour.last(request.object));
    case '/mutate':
      if (!behaviour.mutates) return undefined;
      return patchReview(request.uid, await mutate(request, context, AbortSignal.timeout(10_000)));
    default:
      return validate(request);
  }
}

/** What is said of the sidecar, and nothing else. */
function validate({ uid, namespace, operation, subResource, object }: AdmissionRequest): AdmissionReview {
  const should = namespace !== 'plain';
  const check = checkSidecar(object, should, settings);
  const allowed = operation === 'UPDATE' || subResource !== undefined || check.state === 'ok';
  const message = check.state === 'ok' ? '' : `${check.state}: ${check.reason}`;
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, allowed, ...(!allowed && { status: { code: 403, message } }) },
  } as AdmissionReview;
}

const restrictedContainer = {
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

function podOf(name: string, spec: object = {}, image = 'registry.example/app:1'): JsonObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
    spec: { containers: [{ name: 'app', image, ...restrictedContainer }], ...spec },
  };
}

async function apply(namespace: string, object: object): Promise<KubectlResult> {
  return await kube.kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(object) });
}

async function stored(namespace: string, name: string): Promise<PodObject> {
  const { status, body } = await kube.request('GET', `/api/v1/namespaces/${namespace}/pods/${name}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body as PodObject;
}

const initOf = (pod: PodObject) => itemsOf(specOf(pod), 'initContainers');

describe('a pod that kubectl makes', () => {
  test('comes out with what was rendered, and nothing added but the pull policy', async () => {
    expect(await apply('trading', podOf('fresh'))).toMatchObject({ status: 0, stderr: '' });
    const pod = await stored('trading', 'fresh');
    expect(checkSidecar(pod, true, settings)).toEqual({ state: 'ok', revision });
    const { container, volumes } = renderSidecar(revision);
    expect(initOf(pod)).toEqual([{ ...container, imagePullPolicy: 'Always' }]);
    expect(itemsOf(specOf(pod), 'volumes')).toEqual(expect.arrayContaining([...volumes]));
  });

  test('gives the token of its account to the application, and not to the sidecar', async () => {
    expect(await apply('trading', podOf('token'))).toMatchObject({ status: 0, stderr: '' });
    const pod = await stored('trading', 'token');
    const tokenMounts = (container: object | undefined) =>
      itemsOf((container ?? {}) as PodObject, 'volumeMounts').filter(({ name }) =>
        String(name).startsWith('kube-api-access-'),
      );
    expect(tokenMounts(itemsOf(specOf(pod), 'containers')[0])).toHaveLength(1);
    expect(tokenMounts(initOf(pod)[0])).toEqual([]);
  });

  test('gets the defaults of a LimitRange as well', async () => {
    expect(await apply('limited', podOf('fresh'))).toMatchObject({ status: 0, stderr: '' });
    const pod = await stored('limited', 'fresh');
    expect(checkSidecar(pod, true, settings)).toEqual({ state: 'ok', revision });
    expect(initOf(pod)[0]?.['resources']).toEqual({
      limits: { cpu: '500m', 'ephemeral-storage': '1Gi', memory: '1Gi' },
      requests: { cpu: '50m', 'ephemeral-storage': '1Gi', memory: '96Mi' },
    });
  });

  test('has the sidecar first, and keeps its own', async () => {
    const own = { name: 'migrate', image: 'registry.example/migrate:1', ...restrictedContainer };
    const volume = { name: 'data', emptyDir: {} };
    const pod = podOf('own', { initContainers: [own], volumes: [volume] });
    expect(await apply('trading', pod)).toMatchObject({ status: 0, stderr: '' });
    const out = await stored('trading', 'own');
    expect(initOf(out).map(({ name }) => name)).toEqual(['trellis-proxy', 'migrate']);
    expect(itemsOf(specOf(out), 'volumes')).toEqual(expect.arrayContaining([volume]));
  });

  test('is left as it is where no policy speaks', async () => {
    expect(await apply('plain', podOf('fresh'))).toMatchObject({ status: 0, stderr: '' });
    expect(specOf(await stored('plain', 'fresh'))).not.toHaveProperty('initContainers');
  });

  test('may bring an older sidecar that is still accepted, but no changed one', async () => {
    const older = injected(podOf('older'), revisionOf('b'));
    expect(await apply('trading', older)).toMatchObject({ status: 0, stderr: '' });
    const gone = await apply('trading', injected(podOf('gone'), revisionOf('c')));
    expect(gone.stderr).toContain('altered: its sidecar is not the one that this mesh injects (r-a, r-b)');
  });
});

test('the pods of a deployment get it', async () => {
  const labels = { app: 'web' };
  const deployment = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: specOf(podOf('')) },
    },
  };
  expect(await apply('trading', deployment)).toMatchObject({ status: 0, stderr: '' });
  const pods = await until('both pods', async () => {
    const list = await kube.request('GET', '/api/v1/namespaces/trading/pods?labelSelector=app%3Dweb');
    const { items } = list.body as { readonly items: readonly PodObject[] };
    return items.length === 2 && items;
  });
  for (const pod of pods) expect(checkSidecar(pod, true, settings)).toEqual({ state: 'ok', revision });
});

describe('beside the webhooks of others', () => {
  const container = { name: 'late', image: 'registry.example/signed/late:1', ...restrictedContainer };

  test('one that adds a label changes nothing', async () => {
    behaviour.first = () => [{ op: 'add', path: '/metadata/labels', value: { first: 'yes' } }];
    behaviour.last = () => [{ op: 'add', path: '/metadata/labels/last', value: 'yes' }];
    expect(await apply('trading', podOf('labelled'))).toMatchObject({ status: 0, stderr: '' });
    const pod = await stored('trading', 'labelled');
    expect(pod['metadata']).toMatchObject({ labels: { first: 'yes', last: 'yes' } });
    expect(checkSidecar(pod, true, settings)).toEqual({ state: 'ok', revision });
  });

  test('one that adds a container later: ours is called again, and pins it', async () => {
    behaviour.last = (pod) =>
      itemsOf(specOf(pod), 'containers').length > 1
        ? []
        : [{ op: 'add', path: '/spec/containers/-', value: container }];
    expect(await apply('trading', podOf('late'))).toMatchObject({ status: 0, stderr: '' });
    const pod = await stored('trading', 'late');
    expect(initOf(pod)).toHaveLength(1);
    expect(itemsOf(specOf(pod), 'containers')[1]).toMatchObject({
      image: `${container.image}@${digestOfTag(container.image)}`,
    });
    expect(checkSidecar(pod, true, settings)).toEqual({ state: 'ok', revision });
  });

  test('one that starts something before the sidecar is told so', async () => {
    behaviour.last = (pod) =>
      initOf(pod).some(({ name }) => name === 'late')
        ? []
        : [{ op: 'add', path: '/spec/initContainers/0', value: container }];
    const { status, stderr } = await apply('trading', podOf('before'));
    expect(status).toBe(1);
    expect(stderr).toContain('altered: spec.initContainers[1] is not the first init container');
  });

  test('one that changes the sidecar is told so', async () => {
    behaviour.last = () => [
      { op: 'add', path: '/spec/initContainers/0/env/-', value: { name: 'A', value: 'b' } },
    ];
    const { stderr } = await apply('trading', podOf('changed'));
    expect(stderr).toContain('altered: its sidecar is not the one that this mesh injects');
    expect(stderr).toContain('spec.initContainers[0].env[3] should not be there');
  });
});

describe('is refused', () => {
  test('without its sidecar, when nothing was injected', async () => {
    behaviour.mutates = false;
    const { status, stderr } = await apply('trading', podOf('bare'));
    expect(status).toBe(1);
    expect(stderr).toContain('missing: it has no sidecar trellis-proxy');
  });

  test('without its sidecar, behind an annotation of static pods', async () => {
    const pod = {
      ...podOf('mirror'),
      metadata: { name: 'mirror', annotations: { 'kubernetes.io/config.mirror': 'x' } },
    };
    const spec = { ...specOf(pod), nodeName: 'node', automountServiceAccountToken: false };
    const { stderr } = await apply('trading', { ...pod, spec });
    expect(stderr).toContain('missing: it has no sidecar trellis-proxy');
  });

  test.each<readonly [string, object]>([
    ['a shell in its place', { command: ['/bin/sh'] }],
    ['another image', { image: `registry.example/evil@sha256:${'e'.repeat(64)}` }],
    ['another configuration', { args: ['--config-yaml', '{}'] }],
    ['a variable', { env: [{ name: 'LD_PRELOAD', value: '/tmp/x.so' }] }],
    ['that ends', { restartPolicy: undefined }],
  ])('with a forged sidecar: %s', async (_, changes) => {
    const genuine = injected(podOf('forged'), revision);
    const forged = { ...initOf(genuine)[0], ...changes };
    const { status, stderr } = await apply('trading', {
      ...genuine,
      spec: { ...specOf(genuine), initContainers: [forged] },
    });
    expect(status).toBe(1);
    expect(stderr).toContain('altered: its sidecar is not the one that this mesh injects');
  });

  test('with its name on something else', async () => {
    const volumes = [{ name: 'trellis-agent', csi: { driver: 'csi.trellis.quantum.io', readOnly: true } }];
    const { stderr } = await apply('trading', podOf('taken', { volumes }));
    expect(stderr).toContain(
      'altered: spec.volumes[0] has the name trellis-agent, which is kept for the sidecar',
    );
  });
});

describe('tags', () => {
  const image = 'registry.example/signed/app:1';
  const pinned = `${image}@${digestOfTag(image)}`;
  const imageOf = async (name: string) =>
    itemsOf(specOf(await stored('trading', name)), 'containers')[0]?.['image'];

  test('become digests, and applying the same again leaves the pod as it is', async () => {
    const pod = podOf('tagged', {}, image);
    expect(await apply('trading', pod)).toMatchObject({ status: 0, stderr: '' });
    expect(await imageOf('tagged')).toBe(pinned);
    const before = await stored('trading', 'tagged');
    expect(await apply('trading', pod)).toMatchObject({ status: 0, stderr: '' });
    expect(specOf(await stored('trading', 'tagged'))).toEqual(specOf(before));
  });

  test('of an update and of an ephemeral container become digests', async () => {
    const next = 'registry.example/signed/app:2';
    const set = await kube.kubectl(['set', 'image', '-n', 'trading', 'pod/tagged', `app=${next}`]);
    expect(set).toMatchObject({ status: 0, stderr: '' });
    expect(await imageOf('tagged')).toBe(`${next}@${digestOfTag(next)}`);
    const path = '/api/v1/namespaces/trading/pods/tagged/ephemeralcontainers';
    const debug = { name: 'debug', image: 'registry.example/signed/debug:1', ...restrictedContainer };
    const { status } = await kube.request(
      'PATCH',
      path,
      { spec: { ephemeralContainers: [debug] } },
      { contentType: 'application/strategic-merge-patch+json' },
    );
    expect(status).toBe(200);
    const [container] = itemsOf(specOf(await stored('trading', 'tagged')), 'ephemeralContainers');
    expect(container?.['image']).toBe(`${debug.image}@${digestOfTag(debug.image)}`);
  });
});
