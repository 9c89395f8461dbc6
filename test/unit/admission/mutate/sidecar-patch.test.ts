import { expect, test } from 'vitest';
import { sidecarPatch } from '../../../../src/admission/mutate/sidecar-patch.ts';
import { renderSidecar } from '../../../../src/admission/sidecar/render.ts';
import { asObject, changed, injected, olderRevision, plainPod, revision } from '../sidecar/support.ts';

const { container, volumes } = renderSidecar(revision);

test('puts the sidecar before the other init containers, and leaves the rest as it is', () => {
  const pod = plainPod();
  pod.spec.initContainers = [{ name: 'migrate', image: 'm' }];
  pod.spec.volumes = [{ name: 'data', emptyDir: {} }];
  const before = structuredClone(pod);
  expect(injected(asObject(pod), revision)).toEqual({
    ...before,
    spec: {
      ...before.spec,
      initContainers: [container, { name: 'migrate', image: 'm' }],
      volumes: [{ name: 'data', emptyDir: {} }, ...volumes],
    },
  });
  expect(pod).toEqual(before);
});

test.each([
  ['there are none', plainPod()],
  ['they are empty', changed(changed(plainPod(), 'spec.initContainers', []), 'spec.volumes', [])],
])('makes the lists where %s', (_, pod) => {
  expect(injected(asObject(pod), revision)).toEqual({
    ...pod,
    spec: { ...pod.spec, initContainers: [container], volumes },
  });
});

test('twice is once, of another revision too', () => {
  const once = injected(asObject(plainPod()), revision);
  expect(sidecarPatch(once, revision)).toEqual([]);
  expect(sidecarPatch(once, olderRevision)).toEqual([]);
});

test.each([
  ['a container', 'spec.containers.0.name', 'trellis-proxy'],
  ['an init container', 'spec.initContainers', [{ name: 'trellis-proxy' }]],
  ['an ephemeral container', 'spec.ephemeralContainers', [{ name: 'trellis-proxy' }]],
  ['the volume of the agent', 'spec.volumes', [{ name: 'trellis-agent', emptyDir: {} }]],
  ['the volume of the proxy', 'spec.volumes', [{ name: 'trellis-proxy', emptyDir: {} }]],
])('leaves a pod alone where %s has a name of its', (_, path, value) => {
  expect(sidecarPatch(asObject(changed(plainPod(), path, value)), revision)).toEqual([]);
});
