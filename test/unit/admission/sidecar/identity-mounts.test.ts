import { describe, expect, test } from 'vitest';
import { identityMounts } from '../../../../src/admission/sidecar/identity-mounts.ts';
import { asObject, changed, meshedPod, plainPod, type TestPod } from './support.ts';

const mounts = (pod: TestPod) => identityMounts(asObject(pod));
const mounting = (name: string) => ({ name: 'spy', volumeMounts: [{ name: 'data' }, { name }] });

test('those of the sidecar are its own', () => {
  expect(mounts(meshedPod())).toEqual([]);
  expect(mounts(plainPod())).toEqual([]);
});

describe.each(['trellis-agent', 'trellis-proxy'])('%s mounted by another', (volume) => {
  test('container', () => {
    expect(mounts(changed(meshedPod(), 'spec.containers.1', mounting(volume)))).toEqual([
      { field: 'spec.containers[1].volumeMounts[1]', container: 'spy', volume },
    ]);
  });

  test('init container', () => {
    expect(mounts(changed(meshedPod(), 'spec.initContainers.1', mounting(volume)))).toMatchObject([
      { field: 'spec.initContainers[1].volumeMounts[1]' },
    ]);
  });

  test('ephemeral container', () => {
    expect(mounts(changed(meshedPod(), 'spec.ephemeralContainers', [mounting(volume)]))).toMatchObject([
      { field: 'spec.ephemeralContainers[0].volumeMounts[1]' },
    ]);
  });

  test('container of the sidecar’s name that is no init container', () => {
    const spy = { ...mounting(volume), name: 'trellis-proxy' };
    expect(mounts(changed(meshedPod(), 'spec.containers.1', spy))).toMatchObject([
      { container: 'trellis-proxy' },
    ]);
  });
});

test('a volume of the driver under another name', () => {
  const pod = changed(plainPod(), 'spec.volumes', [
    { name: 'mine', csi: { driver: 'csi.trellis.quantum.io', readOnly: true } },
    { name: 'other', csi: { driver: 'csi.example' } },
  ]);
  const spying = changed(pod, 'spec.containers.0.volumeMounts', [{ name: 'other' }, { name: 'mine' }]);
  expect(mounts(spying)).toEqual([
    { field: 'spec.containers[0].volumeMounts[1]', container: 'app', volume: 'mine' },
  ]);
});
