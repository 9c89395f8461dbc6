import { describe, expect, test } from 'vitest';
import { readPod } from '../../../../src/admission/pod/read-pod.ts';
import { type Breach, breachesOf } from '../../../../src/admission/promises/breaches.ts';

function breaches(spec: object): readonly Breach[] {
  const object = { spec };
  return breachesOf({ pod: readPod(object), object }, () => false);
}

const found = (spec: object) => breaches(spec).map(({ code, field }) => [code, field]);
const app = { name: 'app', image: 'a' };
const lists = ['containers', 'initContainers', 'ephemeralContainers'];

test('a plain pod breaks nothing', () => {
  const context = {
    runAsUser: 1000,
    runAsGroup: 0,
    privileged: false,
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
  };
  const plain = {
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    shareProcessNamespace: false,
    securityContext: { fsGroup: 1000, supplementalGroups: [0, 13370] },
    containers: [
      {
        ...app,
        securityContext: context,
        ports: [{ containerPort: 80 }, { containerPort: 81, protocol: 'TCP' }],
      },
    ],
    ephemeralContainers: [{ name: 'debug', image: 'b', targetContainerName: 'app' }],
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'other', csi: { driver: 'secrets.example' } },
    ],
  };
  expect(breaches(plain)).toEqual([]);
});

describe('of the pod', () => {
  const fields: Record<string, readonly [spec: object, code: string, field: string]> = {
    hostNetwork: [{ hostNetwork: true }, 'host-network', 'spec.hostNetwork'],
    hostPID: [{ hostPID: true }, 'host-processes', 'spec.hostPID'],
    hostIPC: [{ hostIPC: true }, 'host-processes', 'spec.hostIPC'],
    shareProcessNamespace: [
      { shareProcessNamespace: true },
      'shared-processes',
      'spec.shareProcessNamespace',
    ],
    runAsUser: [{ securityContext: { runAsUser: 1337 } }, 'proxy-uid', 'spec.securityContext.runAsUser'],
    runAsGroup: [{ securityContext: { runAsGroup: 1337 } }, 'proxy-uid', 'spec.securityContext.runAsGroup'],
    fsGroup: [{ securityContext: { fsGroup: 1337 } }, 'proxy-uid', 'spec.securityContext.fsGroup'],
    supplementalGroups: [
      { securityContext: { supplementalGroups: [1, 1337] } },
      'proxy-uid',
      'spec.securityContext.supplementalGroups',
    ],
    hostProcess: [
      { securityContext: { windowsOptions: { hostProcess: true } } },
      'host-processes',
      'spec.securityContext.windowsOptions.hostProcess',
    ],
  };
  test.each(Object.entries(fields))('%s', (_name, [spec, code, field]) => {
    expect(found({ containers: [app], ...spec })).toEqual([[code, field]]);
  });
});

describe.each(lists)('of %s', (list) => {
  const fields: Record<string, readonly [changes: object, code: string, field: string]> = {
    privileged: [{ securityContext: { privileged: true } }, 'privileged', 'securityContext.privileged'],
    hostProcess: [
      { securityContext: { windowsOptions: { hostProcess: true } } },
      'host-processes',
      'securityContext.windowsOptions.hostProcess',
    ],
    capabilities: [
      { securityContext: { capabilities: { add: ['CHOWN', 'NET_ADMIN'] } } },
      'capability',
      'securityContext.capabilities.add',
    ],
    runAsUser: [{ securityContext: { runAsUser: 1337 } }, 'proxy-uid', 'securityContext.runAsUser'],
    runAsGroup: [{ securityContext: { runAsGroup: 1337 } }, 'proxy-uid', 'securityContext.runAsGroup'],
    'UDP ports': [{ ports: [{ containerPort: 53, protocol: 'UDP' }] }, 'unprotected-port', 'ports'],
    'SCTP ports': [{ ports: [{ containerPort: 53, protocol: 'SCTP' }] }, 'unprotected-port', 'ports'],
    "the sidecar's volumes": [
      {
        volumeMounts: [
          { name: 'data', mountPath: '/a' },
          { name: 'trellis-agent', mountPath: '/b' },
        ],
      },
      'identity-exposed',
      'volumeMounts[1]',
    ],
    'another volume of its driver': [
      { volumeMounts: [{ name: 'mine', mountPath: '/a' }] },
      'identity-exposed',
      'volumeMounts[0]',
    ],
  };
  const volumes = [{ name: 'mine', csi: { driver: 'csi.trellis.quantum.io' } }];
  test.each(Object.entries(fields))('%s', (_name, [changes, code, field]) => {
    const spec = { volumes, [list]: [app, { ...app, name: 'b', ...changes }] };
    expect(found(spec)).toEqual([[code, `spec.${list}[1].${field}`]]);
  });
});

test('an ephemeral container that joins the process of the sidecar', () => {
  const debug = { name: 'debug', image: 'b', targetContainerName: 'trellis-proxy' };
  expect(found({ ephemeralContainers: [debug] })).toEqual([
    ['shared-processes', 'spec.ephemeralContainers[0].targetContainerName'],
  ]);
});

test.each([
  'ALL',
  'NET_ADMIN',
  'net_raw',
  'CAP_SYS_ADMIN',
  'cap_sys_ptrace',
  'SYS_MODULE',
  'BPF',
  'PERFMON',
  'SYS_RAWIO',
  'DAC_READ_SEARCH',
])('the capability %s, as runtimes read it', (name) => {
  const securityContext = { capabilities: { add: [name] } };
  expect(found({ containers: [{ ...app, securityContext }] }).map(([code]) => code)).toEqual(['capability']);
});

test.each([
  '/',
  '',
  '/var/lib/kubelet/pods',
  '/proc',
  '/dev',
  '/etc/systemd',
  '/srv/data',
  'srv',
  '/var/log',
])('a directory of the node, whichever it is: %j', (path) => {
  const volumes = [
    { name: 'a', emptyDir: {} },
    { name: 'b', hostPath: { path } },
  ];
  const [breach, ...others] = breaches({ volumes });
  expect([breach?.code, breach?.field, others]).toEqual([
    'identity-exposed',
    'spec.volumes[1].hostPath.path',
    [],
  ]);
  expect(breach?.problem).toContain('identities of other pods');
});

test('the sidecar may do what the others may not', () => {
  const object = {
    spec: {
      initContainers: [{ ...app, name: 'trellis-proxy', securityContext: { runAsUser: 1337 } }],
      containers: [{ ...app, securityContext: { runAsUser: 1337 } }],
    },
  };
  const left = breachesOf({ pod: readPod(object), object }, (name) => name === 'trellis-proxy');
  expect(left.map(({ field }) => field)).toEqual(['spec.containers[0].securityContext.runAsUser']);
});

test('what is quoted from the pod is escaped', () => {
  const path = '/proc/\u202e\n';
  expect(breaches({ volumes: [{ name: 'a', hostPath: { path } }] })[0]?.problem).toMatch(/^[\x20-\x7e]*$/);
});
