// What `trellis check` says of a real cluster, and whether the cluster does it: the network of pods, and a webhook that nobody
// serves because there is no network.

import { beforeAll, expect, test } from 'vitest';
import { chartDirectory, type Helm, imageValues, releaseNamespace, startHelm } from '../support/helm.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { until } from '../support/until.ts';
import { TrellisProcess } from '../unit/cli/commands/support.ts';

const network = 'calico-system';
const asked = [
  ...['namespaces', 'services', 'daemonsets', 'deployments', 'statefulsets'],
  ...['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
].join(',');

let kube: Kube;
let helm: Helm;

beforeAll(async () => {
  kube = await startKube({ controllerManager: true });
  helm = await startHelm(kube.kubeconfig);
  for (const name of [releaseNamespace, network]) {
    await kube.create('/api/v1/namespaces', { metadata: { name } });
  }
  await kube.create('/api/v1/nodes', { metadata: { name: 'node-1' } });
  const labels = { app: 'node' };
  await kube.create(`/apis/apps/v1/namespaces/${network}/daemonsets`, {
    metadata: { name: 'node' },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          containers: [{ name: 'node', image: 'registry.example/cni:1' }],
          volumes: [{ name: 'bin', hostPath: { path: '/opt/cni/bin' } }],
        },
      },
    },
  });
  await until('the pod of the network', async () => (await podsOfNetwork()).length === 1);
});

interface Listed {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly message?: string }[];
}

async function items(path: string): Promise<Listed['items']> {
  return ((await kube.request('GET', path)).body as Listed).items;
}

const podsOfNetwork = () => items(`/api/v1/namespaces/${network}/pods`);

async function chart(command: 'install' | 'upgrade', values: object = {}) {
  const args = [command, 'trellis', chartDirectory, '--namespace', releaseNamespace];
  expect(await helm(args, { image: imageValues, ...values })).toMatchObject({ status: 0 });
}

/** As a user would: `kubectl get … | trellis check -` */
async function check() {
  const { status, stdout } = await kube.kubectl(['get', '-A', '-o', 'yaml', asked]);
  expect(status).toBe(0);
  return await new TrellisProcess(['check', '-'], stdout).ended;
}

test('a network that waits for the webhook is named, does not start, and starts once it is exempt', async () => {
  await chart('install');
  const before = await check();
  expect(before.exitCode).toBe(1);
  expect(before.stdout).toMatch(
    /^DEADLOCK {2}DaemonSet calico-system\/node: .*\(network-waits\)\n {2}network of pods: DaemonSet calico-system\/node\n/,
  );

  const [pod] = await podsOfNetwork();
  await kube.request(
    'DELETE',
    `/api/v1/namespaces/${network}/pods/${pod?.metadata.name}?gracePeriodSeconds=0`,
  );
  await until('the pod to be refused', async () => {
    const events = await items(`/api/v1/namespaces/${network}/events`);
    return events.some(({ message = '' }) => message.includes('validate.trellis.quantum.io'));
  });
  expect(await podsOfNetwork()).toEqual([]);

  await chart('upgrade', { exemptNamespaces: ['kube-system', network] });
  expect(await check()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^ok /) });
  await until('the pod to be made again', async () => (await podsOfNetwork()).length === 1);
});
