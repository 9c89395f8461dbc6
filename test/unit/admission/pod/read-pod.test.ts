import { describe, expect, test } from 'vitest';
import { changedImages, imagesOf } from '../../../../src/admission/pod/images.ts';
import { podOf } from '../../../../src/admission/pod/pod-of.ts';
import { pullIdentityOf } from '../../../../src/admission/pod/pull-identity.ts';
import { readPod } from '../../../../src/admission/pod/read-pod.ts';

const app = { name: 'app', image: 'a' };

test('reads a pod with nothing in it, and one whose lists are null', () => {
  const empty = readPod({ spec: {} });
  expect(empty.metadata.labels).toEqual({});
  expect(empty.spec).toMatchObject({ containers: [], initContainers: [], volumes: [], imagePullSecrets: [] });
  const nulls = { metadata: null, spec: { containers: null, volumes: null, securityContext: null } };
  expect(readPod(nulls).spec.containers).toEqual([]);
});

test('does not mind fields that it does not know', () => {
  expect(
    readPod({ spec: { containers: [{ ...app, resizePolicy: [1] }], future: true } }).spec.containers,
  ).toHaveLength(1);
});

describe('refuses what has another type than the API gives it', () => {
  const bad: Record<string, unknown> = {
    'no object': null,
    'no spec': {},
    'containers that are no list': { spec: { containers: { 0: app } } },
    'a container that is none': { spec: { containers: ['a'] } },
    'a container without a name': { spec: { containers: [{ image: 'a' }] } },
    'an image that is no text': { spec: { initContainers: [{ name: 'a', image: ['b'] }] } },
    'an image volume of a text': { spec: { volumes: [{ name: 'a', image: 'b' }] } },
    'privileged that is a text': {
      spec: { ephemeralContainers: [{ ...app, securityContext: { privileged: 'true' } }] },
    },
    'hostNetwork that is a number': { spec: { hostNetwork: 1 } },
    'hostIPC that is a text': { spec: { hostIPC: 'true' } },
    'a hostPath without a path': { spec: { volumes: [{ name: 'a', hostPath: {} }] } },
    'a user that is a text': { spec: { securityContext: { runAsUser: '1337' } } },
    'labels that are no texts': { metadata: { labels: { a: 1 } }, spec: {} },
    'more containers than a pod can have': {
      spec: { containers: Array.from({ length: 10_001 }, () => app) },
    },
  };
  test.each(Object.entries(bad))('%s', (_what, object) => {
    expect(() => readPod(object)).toThrowError(expect.objectContaining({ code: 'ERR_POD_INVALID' }));
  });

  test('and says where in the object it is', () => {
    const object = { spec: { template: { spec: { hostNetwork: 1 } } } };
    const request = { kind: { group: 'apps', version: 'v1', kind: 'Deployment' }, subResource: undefined };
    expect(() => podOf(request, object)).toThrowError(/spec\.template\.spec\.hostNetwork: /);
    expect(() => podOf(request, { spec: {} })).toThrowError(/spec\.template: there is no template/);
  });
});

describe('parts of a pod that change it', () => {
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  test.each(['ephemeralcontainers', 'resize'])('%s', (subResource) => {
    expect(podOf({ kind, subResource }, { spec: { containers: [app] } })).toMatchObject({
      kind: 'pod',
      fieldPrefix: '',
    });
  });

  test.each(['status', 'binding', 'Resize', 'resize/'])('not %s', (subResource) => {
    expect(() => podOf({ kind, subResource }, { spec: {} })).toThrowError(
      expect.objectContaining({ code: 'ERR_KIND_NOT_JUDGED' }),
    );
  });

  test('and of no other kind', () => {
    const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' };
    expect(() => podOf({ kind: deployment, subResource: 'resize' }, { spec: {} })).toThrowError(
      expect.objectContaining({ code: 'ERR_KIND_NOT_JUDGED' }),
    );
  });
});

test('images of all lists and of volumes, with where they are', () => {
  const pod = readPod({
    spec: {
      containers: [app, { name: 'b' }],
      initContainers: [{ name: 'i', image: 'i' }],
      ephemeralContainers: [{ name: 'e', image: 'e' }],
      volumes: [
        { name: 'plain', emptyDir: {} },
        { name: 'v', image: { reference: 'v' } },
        { name: 'w', image: {} },
      ],
    },
  });
  expect(imagesOf(pod).map(({ field, text }) => [field, text])).toEqual([
    ['spec.initContainers[0].image', 'i'],
    ['spec.containers[0].image', 'a'],
    ['spec.containers[1].image', undefined],
    ['spec.ephemeralContainers[0].image', 'e'],
    ['spec.volumes[1].image.reference', 'v'],
    ['spec.volumes[2].image.reference', undefined],
  ]);
});

test('an image is the same in the same place by the same text only', () => {
  const images = (containers: readonly object[]) => imagesOf(readPod({ spec: { containers } }));
  const before = images([app, { name: 'b', image: 'b' }]);
  const changed = (containers: readonly object[]) =>
    changedImages(images(containers), before).map(({ name }) => name);
  // Their order does not matter.
  expect(changed([{ name: 'b', image: 'b' }, app])).toEqual([]);
  expect(changed([{ name: 'b', image: 'a' }, app])).toEqual(['b']);
  expect(changed([{ name: 'c', image: 'a' }])).toEqual(['c']);
  expect(changed([app, { name: 'app', image: 'b' }])).toEqual(['app']);
  // The same name and image, in another list.
  const lists = { initContainers: [app], volumes: [{ name: 'app', image: { reference: 'a' } }] };
  expect(changedImages(imagesOf(readPod({ spec: lists })), before)).toHaveLength(2);
});

test('who pulls the images', () => {
  const of = (spec: object) => pullIdentityOf('trading', readPod({ spec }));
  expect(of({})).toEqual({ namespace: 'trading', serviceAccountName: 'default', imagePullSecrets: [] });
  expect(of({ serviceAccountName: '' }).serviceAccountName).toBe('default');
  expect(of({ serviceAccount: 'old' }).serviceAccountName).toBe('old');
  const secrets = {
    serviceAccountName: 'desk',
    imagePullSecrets: [{ name: 'b' }, {}, { name: '' }, { name: 'a' }],
  };
  expect(of(secrets)).toMatchObject({ serviceAccountName: 'desk', imagePullSecrets: ['b', 'a'] });
});
