import { describe, expect, test } from 'vitest';
import { checkSidecar, type SidecarCheck } from '../../../../src/admission/sidecar/check-sidecar.ts';
import {
  asObject,
  changed,
  meshedPod,
  olderRevision,
  plainPod,
  revision,
  settings,
  type TestPod,
} from './support.ts';

function check(pod: TestPod, should = true): SidecarCheck {
  return checkSidecar(asObject(pod), should, settings);
}

const init = 'spec.initContainers.0';
describe('a pod that must have one', () => {
  test('has it, of any accepted revision', () => {
    expect(check(meshedPod())).toEqual({ state: 'ok', revision });
    expect(check(meshedPod(olderRevision))).toEqual({ state: 'ok', revision: olderRevision });
  });

  test('has none', () => {
    expect(check(plainPod())).toMatchObject({ state: 'missing', field: undefined });
    expect(check(plainPod())).toMatchObject({ reason: expect.stringContaining('create the pod again') });
  });

  test('has that of a revision which is not accepted any more', () => {
    const gone = { name: '1-38-0', image: `docker.io/envoyproxy/envoy@sha256:${'c'.repeat(64)}` };
    expect(check(meshedPod(gone))).toMatchObject({ state: 'altered', field: 'spec.initContainers[0].image' });
  });
});

describe('a pod that needs none', () => {
  test('has none', () => {
    expect(check(plainPod(), false)).toEqual({ state: 'ok', revision: undefined });
  });

  test('has a genuine one', () => {
    expect(check(meshedPod(), false)).toEqual({ state: 'ok', revision });
  });

  test('has a forged one', () => {
    expect(check(changed(meshedPod(), `${init}.command`, ['/bin/sh']), false)).toMatchObject({
      state: 'altered',
    });
  });
});

/** Every field of the sidecar, and fields that it does not have, each changed alone. */
const alterations: readonly (readonly [path: string, value: unknown, field: string])[] = [
  [`${init}.image`, `registry.example/evil@sha256:${'a'.repeat(64)}`, 'spec.initContainers[0].image'],
  [`${init}.image`, 'docker.io/envoyproxy/envoy:v1.40.0', 'spec.initContainers[0].image'],
  [`${init}.imagePullPolicy`, 'Never', 'spec.initContainers[0].imagePullPolicy'],
  [`${init}.command`, ['/bin/sh'], 'spec.initContainers[0].command[0]'],
  [`${init}.command`, undefined, 'spec.initContainers[0].command'],
  [`${init}.args.1`, '{}', 'spec.initContainers[0].args[1]'],
  [`${init}.args.7`, '--bootstrap-version', 'spec.initContainers[0].args[7]'],
  [`${init}.env.3`, { name: 'LD_PRELOAD', value: '/x.so' }, 'spec.initContainers[0].env[3]'],
  [
    `${init}.env.1.valueFrom.fieldRef.fieldPath`,
    'metadata.annotations',
    'spec.initContainers[0].env[1].valueFrom.fieldRef.fieldPath',
  ],
  [`${init}.envFrom`, [{ configMapRef: { name: 'a' } }], 'spec.initContainers[0].envFrom'],
  [`${init}.workingDir`, '/tmp', 'spec.initContainers[0].workingDir'],
  [`${init}.stdin`, true, 'spec.initContainers[0].stdin'],
  [`${init}.ports`, [{ containerPort: 1 }], 'spec.initContainers[0].ports'],
  [`${init}.lifecycle`, { postStart: { exec: { command: ['x'] } } }, 'spec.initContainers[0].lifecycle'],
  [`${init}.livenessProbe`, { exec: { command: ['x'] } }, 'spec.initContainers[0].livenessProbe'],
  [`${init}.volumeDevices`, [{ name: 'd', devicePath: '/dev/d' }], 'spec.initContainers[0].volumeDevices'],
  [`${init}.restartPolicy`, undefined, 'spec.initContainers[0].restartPolicy'],
  [`${init}.resources.limits.memory`, '1Mi', 'spec.initContainers[0].resources.limits.memory'],
  [`${init}.resources.requests.cpu`, undefined, 'spec.initContainers[0].resources.requests.cpu'],
  [`${init}.resources.claims`, [{ name: 'gpu' }], 'spec.initContainers[0].resources.claims'],
  [`${init}.terminationMessagePath`, '/x', 'spec.initContainers[0].terminationMessagePath'],
  [`${init}.volumeMounts.0.readOnly`, undefined, 'spec.initContainers[0].volumeMounts[0].readOnly'],
  [`${init}.volumeMounts.0.subPath`, 'x', 'spec.initContainers[0].volumeMounts[0].subPath'],
  [
    `${init}.volumeMounts.1.mountPropagation`,
    'Bidirectional',
    'spec.initContainers[0].volumeMounts[1].mountPropagation',
  ],
  [
    `${init}.volumeMounts.3`,
    { name: 'data', mountPath: '/usr/local/bin' },
    'spec.initContainers[0].volumeMounts[3]',
  ],
  [`${init}.securityContext.runAsUser`, 0, 'spec.initContainers[0].securityContext.runAsUser'],
  [`${init}.securityContext.runAsGroup`, 0, 'spec.initContainers[0].securityContext.runAsGroup'],
  [`${init}.securityContext.runAsNonRoot`, false, 'spec.initContainers[0].securityContext.runAsNonRoot'],
  [`${init}.securityContext.privileged`, true, 'spec.initContainers[0].securityContext.privileged'],
  [
    `${init}.securityContext.allowPrivilegeEscalation`,
    true,
    'spec.initContainers[0].securityContext.allowPrivilegeEscalation',
  ],
  [
    `${init}.securityContext.readOnlyRootFilesystem`,
    false,
    'spec.initContainers[0].securityContext.readOnlyRootFilesystem',
  ],
  [
    `${init}.securityContext.seccompProfile.type`,
    'Unconfined',
    'spec.initContainers[0].securityContext.seccompProfile.type',
  ],
  [
    `${init}.securityContext.capabilities.add`,
    ['SYS_PTRACE'],
    'spec.initContainers[0].securityContext.capabilities.add',
  ],
  [`${init}.securityContext.procMount`, 'Unmasked', 'spec.initContainers[0].securityContext.procMount'],
  [
    `${init}.securityContext.windowsOptions`,
    { hostProcess: true },
    'spec.initContainers[0].securityContext.windowsOptions',
  ],
  [`${init}.aFieldOfTomorrow`, true, 'spec.initContainers[0].aFieldOfTomorrow'],
  ['spec.volumes.0.csi.driver', 'csi.example', 'spec.volumes[0].csi.driver'],
  ['spec.volumes.0.csi.readOnly', false, 'spec.volumes[0].csi.readOnly'],
  ['spec.volumes.0.csi.volumeAttributes', { a: 'b' }, 'spec.volumes[0].csi.volumeAttributes'],
  ['spec.volumes.0.csi', undefined, 'spec.volumes[0].csi'],
  ['spec.volumes.1.emptyDir.sizeLimit', '1Gi', 'spec.volumes[1].emptyDir.sizeLimit'],
  ['spec.volumes.1', { name: 'trellis-proxy', hostPath: { path: '/' } }, 'spec.volumes[1].emptyDir'],
  ['spec.volumes.2', { name: 'trellis-agent', emptyDir: {} }, 'spec.volumes[2].csi'],
  ['spec.volumes', [], 'spec.volumes.trellis-agent'],
];

describe('a sidecar that was altered', () => {
  test.each(alterations)('%s = %j', (path, value, field) => {
    const found = check(changed(meshedPod(), path, value));
    expect(found).toMatchObject({ state: 'altered', field });
    expect(found).toMatchObject({ reason: expect.stringContaining(field) });
    expect(found).toMatchObject({ reason: expect.stringContaining('1-40-0, 1-39-2') });
  });

  test('no field of it is left out', () => {
    const leaves = leavesOf(meshedPod().spec.initContainers?.[0], init);
    expect(leaves.length).toBeGreaterThan(30);
    for (const path of leaves) {
      expect(check(changed(meshedPod(), path, 'another')), path).toMatchObject({ state: 'altered' });
    }
  });

  test('is compared with the revision whose image it has', () => {
    const pod = changed(meshedPod(olderRevision), `${init}.stdin`, true);
    expect(check(pod)).toMatchObject({ field: 'spec.initContainers[0].stdin' });
  });

  test('what it has instead is quoted, so that it cannot speak for us', () => {
    const pod = changed(meshedPod(), `${init}.command.0`, 'x\nallowed: yes');
    expect(check(pod)).toMatchObject({ reason: expect.stringContaining(String.raw`"x\nallowed: yes"`) });
  });
});

describe('a sidecar in the wrong place', () => {
  test('after another init container, which would run without it', () => {
    const pod = meshedPod();
    pod.spec.initContainers?.unshift({ name: 'first', image: 'x' });
    expect(check(pod)).toMatchObject({ state: 'altered', field: 'spec.initContainers[1]' });
    expect(check(pod)).toMatchObject({ reason: expect.stringContaining('first init container') });
  });

  test('twice', () => {
    const pod = meshedPod();
    pod.spec.initContainers?.push(structuredClone(pod.spec.initContainers[0] ?? {}));
    expect(check(pod)).toMatchObject({ state: 'altered', field: 'spec.initContainers[1]' });
  });

  test('among the containers', () => {
    const pod = meshedPod();
    pod.spec.containers.push(...(pod.spec.initContainers?.splice(0) ?? []));
    expect(check(pod)).toMatchObject({ state: 'altered', field: 'spec.containers[1]' });
  });

  test.each(['containers', 'ephemeralContainers'])('its name has one of %s too', (list) => {
    const pod = changed(meshedPod(), `spec.${list}`, [{ name: 'trellis-proxy' }]);
    expect(check(pod)).toMatchObject({ state: 'altered', field: `spec.${list}[0]` });
    expect(check(pod)).toMatchObject({ reason: expect.stringContaining('rename it') });
  });

  test.each(['trellis-agent', 'trellis-proxy'])('only a volume has the name %s', (name) => {
    const pod = changed(plainPod(), 'spec.volumes', [{ name: 'data' }, { name, emptyDir: {} }]);
    expect(check(pod)).toMatchObject({ state: 'altered', field: 'spec.volumes[1]' });
    expect(check(pod, false)).toMatchObject({ state: 'altered' });
  });
});

describe('what the API server adds to every container', () => {
  test('but no mount: there is none for it to add', () => {
    const pod = meshedPod();
    mountsOf(pod).push({ name: 'kube-api-access-x', readOnly: true, mountPath: '/elsewhere' });
    expect(check(pod)).toMatchObject({ state: 'altered' });
  });

  test('the defaults of a LimitRange', () => {
    const limits = changed(meshedPod(), `${init}.resources.limits.cpu`, '500m');
    const pod = changed(limits, `${init}.resources.requests.ephemeral-storage`, '1Gi');
    expect(check(pod)).toMatchObject({ state: 'ok' });
  });

  test('but no device', () => {
    const pod = changed(meshedPod(), `${init}.resources.limits`, {
      memory: '1Gi',
      'vendor.example/fuse': '1',
    });
    expect(check(pod)).toMatchObject({ state: 'altered' });
  });

  test('the pull policy of AlwaysPullImages', () => {
    expect(check(changed(meshedPod(), `${init}.imagePullPolicy`, 'Always'))).toMatchObject({ state: 'ok' });
  });
});

test('a pod that is none is refused, not believed', () => {
  for (const pod of [
    {},
    { spec: null },
    { spec: { initContainers: 'x', volumes: 7 } },
    { spec: { initContainers: [null] } },
  ]) {
    expect(checkSidecar(pod, true, settings)).toMatchObject({ state: 'missing' });
  }
  const pod = { spec: { initContainers: [{ name: 'trellis-proxy' }], volumes: [null] } };
  expect(checkSidecar(pod, true, settings)).toMatchObject({ state: 'altered' });
});

function leavesOf(value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([field, inner]) => leavesOf(inner, `${path}.${field}`));
}

function mountsOf(pod: TestPod): object[] {
  const [sidecar = {}] = pod.spec.initContainers ?? [];
  return sidecar['volumeMounts'] as object[];
}
