// Ways for a pod to be outside of the mesh that it should be in, or to come by what is its sidecar's alone, on a real API server.

import { beforeAll, describe, expect, test } from 'vitest';
import { app, messageOf, podPath, podSpec, storedPod, strategicMerge } from '../support/admission/pods.ts';
import { type AdmissionCluster, startAdmission, webhookName } from '../support/admission.ts';
import type { KubeAnswer } from '../support/kube.ts';
import { until } from '../support/until.ts';

const envoy = `registry.example/envoy@sha256:${'e'.repeat(64)}`;
const image = `registry.example/app@sha256:${'a'.repeat(64)}`;
const driver = 'csi.trellis.quantum.io';
const sidecarName = 'trellis-proxy';
/** In one a pod must be in the mesh, in the other it is put there. */
const meshed = ['required', 'preferred'] as const;

let cluster: AdmissionCluster;

beforeAll(async () => {
  cluster = await startAdmission({
    values: { sidecar: { image: envoy } },
    kube: { apiServerArgs: ['--allow-privileged=true'] },
  });
  for (const namespace of meshed) {
    await cluster.createNamespace(namespace);
    await cluster.applyPolicy(namespace, 'mesh', { postQuantumEncryption: namespace });
  }
});

interface Injected {
  readonly initContainers: readonly (Record<string, unknown> & { readonly name: string })[];
  readonly volumes: readonly { readonly name: string }[];
}

/** The spec of a pod as the mutating webhook leaves it, less what belongs to this one pod. */
async function injected(namespace: string, name: string, metadata: object = {}): Promise<Injected> {
  const made = await cluster.createPod(namespace, name, bare(), metadata);
  expect(made).toMatchObject({ status: 201 });
  const pod = await storedPod(cluster.kube, namespace, name);
  return pod?.spec as unknown as Injected;
}

/** Without a token, which would be mounted into the sidecar too. */
const bare = (more: object = {}) => podSpec(image, { automountServiceAccountToken: false, ...more });

let pods = 0;

async function ask(namespace: string, spec: object, metadata: object = {}): Promise<KubeAnswer> {
  pods += 1;
  return await cluster.createPod(namespace, `pod-${pods}`, spec, metadata);
}

function expectRefused(answer: KubeAnswer, reason: string | RegExp): void {
  expect(answer).toMatchObject({ status: 403 });
  expect(messageOf(answer)).toContain('validate.trellis.quantum.io');
  expect(messageOf(answer)).toMatch(reason);
}

describe.each(meshed)('where encryption is %s', (namespace) => {
  test('a pod has its sidecar, whatever its annotations want left out', async () => {
    const plain = await injected(namespace, 'plain');
    const [first] = plain.initContainers;
    expect(first).toMatchObject({ name: sidecarName, image: envoy });
    const annotations = {
      'sidecar.trellis.quantum.io/inject': 'false',
      'trellis.quantum.io/inject': 'disabled',
      'traffic.trellis.quantum.io/excludeInboundPorts': '8080',
      'traffic.sidecar.istio.io/excludeOutboundPorts': '443',
      'sidecar.istio.io/inject': 'false',
      'linkerd.io/inject': 'disabled',
    };
    const labels = { 'sidecar.trellis.quantum.io/inject': 'false', 'sidecar.istio.io/inject': 'false' };
    const annotated = await injected(namespace, 'annotated', { annotations, labels });
    expect(annotated.initContainers[0]).toEqual(first);
  });

  test('an altered sidecar is refused', async () => {
    const { initContainers, volumes } = await injected(namespace, 'genuine');
    const [sidecar] = initContainers;
    const context = sidecar?.['securityContext'] as object;
    const args = sidecar?.['args'] as readonly string[];
    const alterations: Record<string, object> = {
      image: { image: `registry.example/envoy@sha256:${'f'.repeat(64)}` },
      command: { command: ['/bin/sh'] },
      args: { args: args.map((arg) => arg.replace('/run/trellis/agent.sock', '/tmp/agent.sock')) },
      env: { env: [{ name: 'LD_PRELOAD', value: '/tmp/a.so' }] },
      user: { securityContext: { ...context, runAsUser: 1000 } },
      capability: { securityContext: { ...context, capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } } },
      lifecycle: { lifecycle: { postStart: { exec: { command: ['/bin/sh'] } } } },
      ports: { ports: [{ containerPort: 8080 }] },
    };
    for (const [what, change] of Object.entries(alterations)) {
      const altered = [{ ...sidecar, ...change }];
      const answer = await ask(namespace, bare({ initContainers: altered, volumes }));
      expect(answer, what).toMatchObject({ status: 403 });
      expect(messageOf(answer), what).toContain('its sidecar is not the one that this mesh injects');
    }
    // Brought by the author, it is the same one.
    expect(await ask(namespace, bare({ initContainers, volumes }))).toMatchObject({ status: 201 });
  });

  test('so is one that comes too late, or whose volumes are others', async () => {
    const { initContainers, volumes } = await injected(namespace, 'late');
    const early = { name: 'early', image };
    const after = await ask(namespace, bare({ initContainers: [early, ...initContainers], volumes }));
    expectRefused(after, 'is not the first init container');
    const plain = volumes.map(({ name }) => ({ name, emptyDir: {} }));
    expectRefused(await ask(namespace, bare({ initContainers, volumes: plain })), 'csi is missing');
    const named = bare({ containers: [app(image), { name: sidecarName, image }] });
    expectRefused(await ask(namespace, named), 'is kept for the sidecar');
  });

  test('a sidecar that runs cannot be changed for another', async () => {
    await injected(namespace, 'changing');
    const change = (name: string, to: string) => ({ spec: { initContainers: [{ name, image: to }] } });
    const path = podPath(namespace, 'changing');
    const other = change(sidecarName, `registry.example/envoy@sha256:${'f'.repeat(64)}`);
    expectRefused(
      await cluster.kube.request('PATCH', path, other, strategicMerge),
      'its sidecar is not the one',
    );
    const label = { metadata: { labels: { a: 'b' } } };
    expect(await cluster.kube.request('PATCH', path, label, strategicMerge)).toMatchObject({ status: 200 });
  });

  test('nor given less than it was injected with, or more', async () => {
    await injected(namespace, 'resized');
    const resize = async (list: 'containers' | 'initContainers', name: string, cpu: string) => {
      const patch = { spec: { [list]: [{ name, resources: { requests: { cpu } } }] } };
      const path = `${podPath(namespace, 'resized')}/resize`;
      return await cluster.kube.request('PATCH', path, patch, strategicMerge);
    };
    for (const cpu of ['1m', '2']) {
      expectRefused(await resize('initContainers', sidecarName, cpu), 'its sidecar is not the one');
    }
    expect(await resize('containers', 'app', '20m')).toMatchObject({ status: 200 });
  });
});

describe('without the mutating webhook', () => {
  test('no pod that should have a sidecar is made without', async () => {
    const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${webhookName}`;
    const exclude = async (values: readonly string[]) => {
      const selector = [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values }];
      const patch = [
        { op: 'replace', path: '/webhooks/0/namespaceSelector/matchExpressions', value: selector },
      ];
      const contentType = 'application/json-patch+json';
      expect(await cluster.kube.request('PATCH', path, patch, { contentType })).toMatchObject({
        status: 200,
      });
    };
    const tried = async (namespace: string) =>
      await cluster.kube.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
        metadata: { name: 'tried' },
        spec: bare(),
      });
    await exclude(meshed);
    for (const namespace of meshed) {
      const answer = await until('it to be gone', async () => {
        const got = await tried(namespace);
        return got.status !== 201 && got;
      });
      expectRefused(answer, 'it has no sidecar trellis-proxy');
    }
    await exclude(['kube-system']);
    await until('it to be back', async () => (await tried('required')).status === 201);
  });
});

describe('where encryption is required', () => {
  const namespace = 'required';
  const secured = (securityContext: object) => bare({ containers: [app(image, { securityContext })] });
  const breaches: readonly (readonly [string, object, string | RegExp])[] = [
    ['the network of the node', bare({ hostNetwork: true }), 'outside the mesh'],
    ['the processes of the node', bare({ hostPID: true }), 'processes of its node'],
    ['what the processes of the node share', bare({ hostIPC: true }), 'processes of its node'],
    ['processes that are shared', bare({ shareProcessNamespace: true }), 'process of the proxy'],
    ['privileged', secured({ privileged: true }), 'master of its node'],
    ['NET_ADMIN', secured({ capabilities: { add: ['NET_ADMIN'] } }), 'go around the proxy'],
    ['NET_RAW', secured({ capabilities: { add: ['net_raw'] } }), 'go around the proxy'],
    ['the user of the proxy', secured({ runAsUser: 1337 }), 'runAsUser is 1337'],
    ['the group of the proxy', secured({ runAsGroup: 1337 }), 'runAsGroup is 1337'],
    ['the user of the proxy, for all', bare({ securityContext: { runAsUser: 1337 } }), 'runAsUser is 1337'],
    ['a group of the proxy', bare({ securityContext: { supplementalGroups: [1337] } }), '1337'],
    [
      'the user of the proxy, in an init container',
      bare({ initContainers: [{ name: 'first', image, securityContext: { runAsUser: 1337 } }] }),
      'runAsUser is 1337',
    ],
    [
      'a directory of the kubelet',
      bare({ volumes: [{ name: 'host', hostPath: { path: '/var/lib/kubelet/pods' } }] }),
      'identities of other pods',
    ],
    [
      'any other directory of the node',
      bare({ volumes: [{ name: 'host', hostPath: { path: '/srv/data' } }] }),
      'belongs in an exempt namespace',
    ],
    [
      'a volume of the driver of identities',
      bare({
        containers: [app(image, { volumeMounts: [{ name: 'mine', mountPath: '/mine' }] })],
        volumes: [{ name: 'mine', csi: { driver, readOnly: true } }],
      }),
      'for the sidecar alone',
    ],
    [
      'the volume of the sidecar',
      bare({ containers: [app(image, { volumeMounts: [{ name: 'trellis-agent', mountPath: '/mine' }] })] }),
      'for the sidecar alone',
    ],
  ];

  test.each(breaches)('a pod may not have %s', async (_what, spec, reason) => {
    const answer = await ask(namespace, spec);
    expectRefused(answer, reason);
    expect(messageOf(answer)).toContain('QuantumSecurityPolicy required/mesh');
  });

  test('nor its template', async () => {
    const selector = { matchLabels: { app: 'a' } };
    const template = { metadata: { labels: { app: 'a' } }, spec: secured({ runAsUser: 1337 }) };
    const answer = await cluster.kube.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, {
      metadata: { name: 'uid' },
      spec: { replicas: 0, selector, template },
    });
    expectRefused(answer, 'spec.template.spec.containers[0].securityContext.runAsUser is 1337');
  });

  test('a container to look into it may not be the proxy, or look into that', async () => {
    await injected(namespace, 'debugged');
    const debug = async (name: string, more: object) => {
      const ephemeralContainers = [{ name, image, ...more }];
      const path = `${podPath(namespace, 'debugged')}/ephemeralcontainers`;
      return await cluster.kube.request('PATCH', path, { spec: { ephemeralContainers } }, strategicMerge);
    };
    expectRefused(await debug('uid', { securityContext: { runAsUser: 1337 } }), 'runAsUser is 1337');
    expectRefused(await debug('target', { targetContainerName: sidecarName }), 'process of the proxy');
    const volumeMounts = [{ name: 'trellis-agent', mountPath: '/mine' }];
    expectRefused(await debug('mount', { volumeMounts }), 'for the sidecar alone');
    expect(await debug('plain', {})).toMatchObject({ status: 200 });
    const targeting = await cluster.kube.kubectl([
      ...['debug', '-n', namespace, 'pod/debugged', '--attach=false', '--profile=general'],
      ...['--container=other', `--target=${sidecarName}`, `--image=${image}`],
    ]);
    expect(targeting.status).toBe(1);
    expect(targeting.stderr).toContain('process of the proxy');
  });
});
