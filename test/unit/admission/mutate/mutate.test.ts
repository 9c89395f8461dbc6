import { describe, expect, test } from 'vitest';
import type { PullCredentials } from '../../../../src/admission/images/image-judge.ts';
import { applyPatch } from '../../../../src/admission/mutate/apply-patch.ts';
import { type MutationContext, mutate } from '../../../../src/admission/mutate/mutate.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import { renderSidecar } from '../../../../src/admission/sidecar/render.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import type { Digest } from '../../../../src/registry/digest.ts';
import { formatReference, repositoryName } from '../../../../src/registry/reference.ts';
import {
  asObject,
  changed,
  patched,
  plainPod,
  policy,
  revision,
  settings,
  type TestPod,
} from '../sidecar/support.ts';

const digest: Digest = `sha256:${'d'.repeat(64)}`;
const image = 'registry.example/trading/orders:1';
const pinned = `${image}@${digest}`;
const meshed = policy({ postQuantumEncryption: 'required' });

interface Seen {
  readonly resolved: string[];
  readonly identities: unknown[];
}

/** Everything of registry.example must be a digest, and has one; `down` in the name: it cannot be resolved. */
function context(changes: Partial<MutationContext> = {}): MutationContext & Seen {
  const seen: Seen = { resolved: [], identities: [] };
  return {
    policies: [],
    rootNamespace: 'trellis-system',
    judge: {
      mustBeDigest: ({ registry }) => registry === 'registry.example',
      resolve: async ({ reference }) => {
        seen.resolved.push(formatReference(reference));
        if (repositoryName(reference).includes('down')) throw new Error('unreachable');
        return digest;
      },
    },
    credentials: async (identity): Promise<PullCredentials> => {
      seen.identities.push(identity);
      return { scope: 'a', source: anonymous };
    },
    sidecar: undefined,
    ...seen,
    ...changes,
  };
}

function request(object: TestPod, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'u',
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    subResource: undefined,
    namespace: 'trading',
    name: 'orders-0',
    object: asObject(object),
    oldObject: undefined,
    dryRun: false,
    ...changes,
  };
}

const signal = AbortSignal.timeout(60_000);

async function mutated(asked: AdmissionRequest, how: MutationContext): Promise<TestPod> {
  return patched(asked.object, await mutate(asked, how, signal)) as unknown as TestPod;
}

describe('pinning', () => {
  test('a tag becomes its digest, wherever a pod names an image', async () => {
    const pod = plainPod();
    pod.spec.initContainers = [{ name: 'i', image: 'registry.example/init' }];
    pod.spec.containers.push({ name: 'b', image: 'other.example/b:1' });
    pod.spec.ephemeralContainers = [{ name: 'e', image: 'registry.example/debug:2' }];
    pod.spec.volumes = [{ name: 'data' }, { name: 'm', image: { reference: 'registry.example/model:3' } }];
    expect((await mutated(request(pod), context())).spec).toEqual({
      initContainers: [{ name: 'i', image: `registry.example/init:latest@${digest}` }],
      containers: [
        { name: 'app', image: pinned },
        { name: 'b', image: 'other.example/b:1' },
      ],
      ephemeralContainers: [{ name: 'e', image: `registry.example/debug:2@${digest}` }],
      volumes: [{ name: 'data' }, { name: 'm', image: { reference: `registry.example/model:3@${digest}` } }],
    });
  });

  test('asks registries in the turn of the pod’s namespace', async () => {
    const askers: unknown[] = [];
    const resolve = async ({ asker }: { readonly asker?: unknown }) => {
      askers.push(asker);
      return digest;
    };
    await mutate(request(plainPod()), context({ judge: { mustBeDigest: () => true, resolve } }), signal);
    expect(askers).toEqual([{ tenant: 'trading', request: 'u' }]);
  });

  test('is void where the image is not the one that was resolved', async () => {
    const patch = await mutate(request(plainPod()), context(), signal);
    const other = changed(plainPod(), 'spec.containers.0.image', 'registry.example/trading/orders:2');
    expect(applyPatch(other, patch)).toBeUndefined();
  });

  test('a name becomes the full name', async () => {
    const hub = context({ judge: { mustBeDigest: () => true, resolve: async () => digest } });
    const pod = changed(plainPod(), 'spec.containers.0.image', 'nginx');
    expect((await mutated(request(pod), hub)).spec.containers[0]?.['image']).toBe(
      `docker.io/library/nginx:latest@${digest}`,
    );
  });

  test('a short name becomes the full one where a policy enforces rules about images, with nobody asked', async () => {
    const allow = policy({ images: [{ match: ['**'], action: 'allow' }] });
    const pod = plainPod();
    pod.spec.containers = [
      'fedora',
      `fedora:41@${digest}`,
      'library/fedora:41',
      'docker.io/fedora',
      'a.example/b',
    ].map((each, n) => ({ name: `c${n}`, image: each }));
    const how = context({ policies: [allow] });
    const after = await mutated(request(pod), how);
    expect(after.spec.containers.map((each) => each['image'])).toEqual([
      'docker.io/library/fedora:latest',
      `docker.io/library/fedora:41@${digest}`,
      'docker.io/library/fedora:41',
      'docker.io/fedora',
      'a.example/b',
    ]);
    expect(await mutate(request(after), how, signal)).toEqual([]);
    expect([how.resolved, how.identities]).toEqual([[], []]);
    for (const spec of [{ ...allow.spec, enforcement: 'audit' as const }, {}]) {
      expect(await mutate(request(pod), context({ policies: [policy(spec)] }), signal)).toEqual([]);
    }
  });

  test('one that cannot be resolved, or is none, stays; the others are pinned all the same', async () => {
    const pod = plainPod();
    pod.spec.containers.push(
      { name: 'b', image: 'registry.example/down' },
      { name: 'c', image: 'Not An Image' },
      { name: 'd' },
    );
    expect((await mutated(request(pod), context())).spec.containers).toEqual([
      { name: 'app', image: pinned },
      { name: 'b', image: 'registry.example/down' },
      { name: 'c', image: 'Not An Image' },
      { name: 'd' },
    ]);
  });

  test('nothing is asked where nothing must be a digest, or is one already', async () => {
    const pod = plainPod();
    pod.spec.containers = [
      { name: 'a', image: 'other.example/b:1' },
      { name: 'b', image: pinned },
    ];
    const how = context();
    expect(await mutate(request(pod), how, signal)).toEqual([]);
    expect([how.resolved, how.identities]).toEqual([[], []]);
  });

  test('one image is resolved once, with the credentials of the pod', async () => {
    const pod = plainPod();
    pod.spec.containers.push({ name: 'b', image }, { name: 'c', image: 'registry.example/c:1' });
    pod.spec['serviceAccountName'] = 'trader';
    pod.spec['imagePullSecrets'] = [{ name: 'a' }, { name: 'b' }];
    const how = context();
    expect((await mutated(request(pod), how)).spec.containers[1]).toEqual({ name: 'b', image: pinned });
    expect(how.resolved).toEqual([image, 'registry.example/c:1']);
    expect(how.identities).toEqual([
      { namespace: 'trading', serviceAccountName: 'trader', imagePullSecrets: ['a', 'b'] },
    ]);
  });

  test.each([
    ['credentials that cannot be had', { credentials: async () => Promise.reject(new Error('forbidden')) }],
    [
      'policies that cannot be compiled',
      {
        judge: {
          mustBeDigest: () => {
            throw new Error('no');
          },
          resolve: async () => digest,
        },
      },
    ],
  ])('%s leave the image, and the sidecar comes in all the same', async (_, changes) => {
    const how = context({ ...changes, policies: [meshed], sidecar: settings });
    const { spec } = await mutated(request(plainPod()), how);
    expect(spec.containers).toEqual([{ name: 'app', image }]);
    expect(spec.initContainers).toMatchObject([{ name: 'trellis-proxy' }]);
  });

  test('more images than are judged are not resolved', async () => {
    const pods = [200, 201].map((count) => {
      const containers = Array.from({ length: count }, (_, n) => ({ name: `c${n}`, image: `${image}${n}` }));
      return changed(plainPod(), 'spec.containers', containers);
    });
    const counts = pods.map(async (pod) => (await mutate(request(pod), context(), signal)).length);
    expect(await Promise.all(counts)).toEqual([400, 0]);
  });

  test('policies of other namespaces are none of its', async () => {
    let asked: readonly Policy[] = [];
    const judge: MutationContext['judge'] = {
      mustBeDigest: (_, policies) => {
        asked = policies;
        return false;
      },
      resolve: async () => digest,
    };
    const policies = ['trading', 'trellis-system', 'other'].map((namespace) => policy({}, namespace));
    await mutate(request(plainPod()), context({ judge, policies }), signal);
    expect(asked.map(({ namespace }) => namespace)).toEqual(['trading', 'trellis-system']);
  });
});

describe('an update', () => {
  const before = changed(plainPod(), 'spec.containers.0.image', 'registry.example/trading/orders:0');
  const update = (object: TestPod, oldObject: TestPod | undefined = before) =>
    request(object, { operation: 'UPDATE', oldObject: oldObject && asObject(oldObject) });

  test('pins what is new', async () => {
    const pod = plainPod();
    const both = changed(pod, 'spec.initContainers', [{ name: 'i', image: 'registry.example/i:1' }]);
    const old = changed(before, 'spec.initContainers', [{ name: 'i', image: 'registry.example/i:1' }]);
    expect((await mutated(update(both, old), context())).spec).toEqual({
      containers: [{ name: 'app', image: pinned }],
      initContainers: [{ name: 'i', image: 'registry.example/i:1' }],
    });
  });

  test('of no image asks nothing', async () => {
    const how = context();
    expect(await mutate(update(plainPod(), plainPod()), how, signal)).toEqual([]);
    expect(how.resolved).toEqual([]);
  });

  test('injects nothing: a pod that runs cannot get a container', async () => {
    const how = context({ policies: [meshed], sidecar: settings });
    expect((await mutated(update(plainPod()), how)).spec).not.toHaveProperty('initContainers');
  });

  test('an ephemeral container that is added is pinned, and nothing else is touched', async () => {
    const debugged = changed(plainPod(), 'spec.ephemeralContainers', [
      { name: 'old', image: 'registry.example/debug:1' },
      { name: 'new', image: 'registry.example/debug:2' },
    ]);
    const old = changed(before, 'spec.ephemeralContainers', [
      { name: 'old', image: 'registry.example/debug:1' },
    ]);
    const asked = { ...update(debugged, old), subResource: 'ephemeralcontainers' };
    const how = context({ policies: [meshed], sidecar: settings });
    expect(await mutate(asked, how, signal)).toEqual([
      { op: 'test', path: '/spec/ephemeralContainers/1/image', value: 'registry.example/debug:2' },
      { op: 'add', path: '/spec/ephemeralContainers/1/image', value: `registry.example/debug:2@${digest}` },
    ]);
  });
});

describe('the sidecar', () => {
  const how = context({ policies: [meshed], sidecar: settings });

  test('comes in as it is rendered, before what is there', async () => {
    const { container, volumes } = renderSidecar(revision);
    const pods = [
      plainPod(),
      changed(plainPod(), 'spec.initContainers', []),
      changed(plainPod(), 'spec.initContainers', [{ name: 'i', image: 'x.example/i:1' }]),
      changed(plainPod(), 'spec.volumes', [{ name: 'data', emptyDir: {} }]),
    ];
    for (const pod of pods) {
      const exact = changed(pod, 'spec.containers.0.image', pinned);
      const { spec } = exact;
      expect(await mutated(request(exact), how)).toEqual({
        ...exact,
        spec: {
          ...spec,
          initContainers: [container, ...(spec.initContainers ?? [])],
          volumes: [...(spec.volumes ?? []), ...volumes],
        },
      });
    }
  });

  test('writes nothing again that is there: only new entries, and images', async () => {
    const pod = changed(plainPod(), 'spec.volumes', [{ name: 'data', emptyDir: {} }]);
    const patch = await mutate(request(pod), how, signal);
    expect(patch.map(({ op, path }) => `${op} ${path}`)).toEqual([
      'test /spec/containers/0/image',
      'add /spec/containers/0/image',
      'add /spec/initContainers',
      'add /spec/initContainers/0',
      'add /spec/volumes/-',
      'add /spec/volumes/-',
    ]);
    expect(patch[2]).toMatchObject({ value: [] });
  });

  test('and init containers are pinned where they stand, before it moves them', async () => {
    const pod = changed(plainPod(), 'spec.initContainers', [{ name: 'i', image: 'registry.example/i:1' }]);
    const { spec } = await mutated(request(pod), how);
    expect(spec.initContainers).toMatchObject([
      { name: 'trellis-proxy', image: revision.image },
      { name: 'i', image: `registry.example/i:1@${digest}` },
    ]);
  });

  test('mutating twice is mutating once, and pins what others have added meanwhile', async () => {
    const once = await mutated(request(plainPod()), how);
    expect(await mutate(request(once), how, signal)).toEqual([]);
    once.spec.containers.push({ name: 'late', image });
    const twice = await mutated(request(once), how);
    expect(twice.spec.containers[1]).toEqual({ name: 'late', image: pinned });
    expect(twice.spec.initContainers).toEqual(once.spec.initContainers);
  });

  test.each<readonly [string, Policy[]]>([
    ['no policy speaks of encryption', [policy({})]],
    ['the policy is of another namespace', [policy({ postQuantumEncryption: 'required' }, 'other')]],
    ['the policy says disabled', [policy({ postQuantumEncryption: 'disabled' })]],
    ['the policy only warns', [policy({ postQuantumEncryption: 'required', enforcement: 'warn' })]],
  ])('stays out where %s', async (_, policies) => {
    expect(
      (await mutated(request(plainPod()), context({ policies, sidecar: settings }))).spec,
    ).not.toHaveProperty('initContainers');
  });

  test('comes in by a policy of the root namespace, and by labels that a policy selects', async () => {
    for (const [spec, namespace] of [
      [{ postQuantumEncryption: 'preferred' }, 'trellis-system'],
      [{ postQuantumEncryption: 'preferred', selector: { matchLabels: { app: 'orders' } } }, 'trading'],
    ] as const) {
      const { spec: found } = await mutated(
        request(plainPod()),
        context({ policies: [policy(spec, namespace)], sidecar: settings }),
      );
      expect(found.initContainers).toMatchObject([{ name: 'trellis-proxy' }]);
    }
  });

  test('stays out where injection is switched off', async () => {
    expect((await mutated(request(plainPod()), context({ policies: [meshed] }))).spec).not.toHaveProperty(
      'volumes',
    );
  });

  test('stays out of pods for Windows, and where something has a name of its', async () => {
    for (const pod of [
      changed(plainPod(), 'spec.os', { name: 'windows' }),
      changed(plainPod(), 'spec.volumes', [{ name: 'trellis-agent', emptyDir: {} }]),
      changed(plainPod(), 'spec.containers.0.name', 'trellis-proxy'),
    ]) {
      const found = await mutated(request(pod), how);
      expect(found).toEqual(changed(pod, 'spec.containers.0.image', pinned));
    }
  });
});

describe('is left alone', () => {
  const how = context({ policies: [meshed], sidecar: settings });

  test.each([
    ['a static pod', changed(plainPod(), 'metadata.annotations', { 'kubernetes.io/config.mirror': 'x' })],
    ['a pod on the network of the node', changed(plainPod(), 'spec.hostNetwork', true)],
    ['what is no pod', changed(plainPod(), 'spec.containers', 'x')],
  ])('%s', async (_, pod) => {
    expect(await mutate(request(pod), how, signal)).toEqual([]);
  });

  test('a template, another kind, another subresource', async () => {
    const template = { spec: { template: plainPod() } } as unknown as TestPod;
    const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' };
    expect(await mutate(request(template, { kind: deployment }), how, signal)).toEqual([]);
    const config = { group: '', version: 'v1', kind: 'ConfigMap' };
    expect(await mutate(request(plainPod(), { kind: config }), how, signal)).toEqual([]);
    expect(await mutate(request(plainPod(), { subResource: 'status' }), how, signal)).toEqual([]);
  });
});
