import { describe, expect, test } from 'vitest';
import { explainPod } from '../../../../src/admission/explain/pod-policy.ts';
import { readPod } from '../../../../src/admission/pod/read-pod.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { settings } from '../decide/support.ts';
import { policyOf } from '../images/support.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const podOf = (spec: object, labels = {}) => readPod({ metadata: { labels }, spec });
const containers = (...images: readonly string[]) => ({
  containers: images.map((image, index) => ({ name: `c${index}`, image })),
});

describe('the sidecar', () => {
  const required = policyOf({ postQuantumEncryption: 'required' });
  test.each([
    ['no policy asks for the mesh', [policyOf({})], {}, 'none'],
    ['one does', [required], {}, 'injected'],
    ['one only warns', [policyOf({ postQuantumEncryption: 'required', enforcement: 'warn' })], {}, 'none'],
    ['on the network of the node', [required], { hostNetwork: true }, 'left-alone'],
    ['for Windows', [required], { os: { name: 'windows' } }, 'left-alone'],
    ['for Linux', [required], { os: { name: 'linux' } }, 'injected'],
    ['on the network of the node, and nobody asks', [], { hostNetwork: true }, 'none'],
  ])('%s', (_, policies, spec, sidecar) => {
    expect(explainPod(podOf(spec), policies, settings).sidecar).toBe(sidecar);
  });

  test('that is injected nowhere is said where one is asked for, and only there', () => {
    const where = (policies: readonly Policy[], spec: object) =>
      explainPod(podOf(spec), policies, undefined).sidecar;
    expect(where([required], {})).toBe('switched-off');
    expect(where([required], { hostNetwork: true })).toBe('left-alone');
    expect(where([policyOf({})], {})).toBe('none');
  });

  test('by a policy that selects the pod', () => {
    const selecting = policyOf({ selector: { matchLabels: { a: 'b' } }, postQuantumEncryption: 'preferred' });
    expect(explainPod(podOf({}), [selecting], settings).sidecar).toBe('none');
    expect(explainPod(podOf({}, { a: 'b' }), [selecting], settings).sidecar).toBe('injected');
  });
});

test('of each image: by which rule of each policy, and whether it must be a digest', () => {
  const pod = podOf(containers('registry.example/trading/app:1', `busybox@${digest}`));
  const denying = policyOf(
    { enforcement: 'warn', images: [{ match: ['registry.example/**'], action: 'deny' }] },
    'b',
  );
  const { images } = explainPod(pod, [policyOf(), denying], undefined);
  expect(images).toEqual([
    {
      field: 'spec.containers[0].image',
      image: 'registry.example/trading/app:1',
      invalid: undefined,
      repository: 'registry.example/trading/app',
      digest: undefined,
      mustBeDigest: true,
      requirements: [
        { policy: 'trading/b', enforcement: 'warn', rule: 1, asks: 'denies' },
        { policy: 'trading/images', enforcement: 'enforce', rule: 1, asks: 'signatures' },
      ],
      isRevoked: false,
    },
    {
      field: 'spec.containers[1].image',
      image: `busybox@${digest}`,
      invalid: undefined,
      repository: 'docker.io/library/busybox',
      digest,
      mustBeDigest: false,
      requirements: [
        { policy: 'trading/b', enforcement: 'warn', rule: undefined, asks: 'denies' },
        { policy: 'trading/images', enforcement: 'enforce', rule: undefined, asks: 'denies' },
      ],
      isRevoked: false,
    },
  ]);
});

test('a revoked digest, and a tag where digests are revoked', () => {
  const revoking = policyOf({ revoked: { digests: [digest] } });
  const { images } = explainPod(podOf(containers(`busybox@${digest}`, 'busybox')), [revoking], undefined);
  expect(images.map(({ isRevoked, mustBeDigest }) => [isRevoked, mustBeDigest])).toEqual([
    [true, true],
    [false, true],
  ]);
});

test('what is no image, and a template that has none yet', () => {
  const spec = { containers: [{ name: 'a', image: 'A B' }, { name: 'b' }] };
  expect(explainPod(podOf(spec), [policyOf()], undefined).images).toMatchObject([
    { image: 'A B', invalid: expect.stringContaining('is no image reference'), requirements: [] },
  ]);
});
