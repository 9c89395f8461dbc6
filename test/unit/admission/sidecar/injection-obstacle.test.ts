import { expect, test } from 'vitest';
import { readPod } from '../../../../src/admission/pod/read-pod.ts';
import { injectionObstacle } from '../../../../src/admission/sidecar/injection-obstacle.ts';

test.each([
  [{}, undefined],
  [{ hostNetwork: false, os: { name: 'linux' } }, undefined],
  [{ hostNetwork: true }, 'host-network'],
  [{ os: { name: 'windows' } }, 'windows'],
  // `required` lets a pod on the network of its node be without a sidecar, and refuses it for the network.
  [{ hostNetwork: true, os: { name: 'windows' } }, 'host-network'],
])('%j: %s', (spec, obstacle) => {
  expect(injectionObstacle(readPod({ spec: { containers: [], ...spec } }))).toBe(obstacle);
});
