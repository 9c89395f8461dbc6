// `trellis check` from objects in files to its exit code.

import { describe, expect, test } from 'vitest';
import { expectFailure, trellis } from '../commands/support.ts';
import { workspace } from './support.ts';

const files = await workspace();

const webhook = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'trellis-webhook' },
  webhooks: [
    {
      name: 'validate.trellis.quantum.io',
      clientConfig: { service: { namespace: 'trellis-system', name: 'trellis-webhook' } },
      namespaceSelector: {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['trellis-system'] },
        ],
      },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    },
  ],
};

function daemonSet(name: string, path: string): object {
  const volumes = [{ name: 'host', hostPath: { path } }];
  const template = { metadata: {}, spec: { containers: [{ name: 'a', image: 'a.example/a:1' }], volumes } };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: name },
    spec: { template },
  };
}

/** As `kubectl get -o yaml` prints several. */
const list = (...items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };
const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'kubernetes' }, spec: {} };
const network = daemonSet('calico-system', '/opt/cni/bin');
const storage = daemonSet('csi', '/var/lib/kubelet/plugins');

async function check(objects: readonly object[], ...more: readonly string[]) {
  return await trellis('check', await files.write('cluster.yaml', list(...objects)), ...more);
}

describe('a cluster', () => {
  test('whose network waits for the webhook would not come up again', async () => {
    const outcome = await check([namespace, service, webhook, network, storage]);
    expect(outcome.stdout).toBe(
      [
        'DEADLOCK  DaemonSet calico-system/calico-system: its pods wait for validate.trellis.quantum.io, and validate.trellis.quantum.io waits for them: it makes the network of pods (CNI) (network-waits)',
        'delay  DaemonSet csi/csi: its pods wait for validate.trellis.quantum.io: it is the part of a storage driver (CSI) that volumes on its node need (storage-waits)',
        '  network of pods: DaemonSet calico-system/calico-system',
        '  cluster DNS: none was recognised',
        '  storage drivers: DaemonSet csi/csi\n',
      ].join('\n'),
    );
    expect(outcome.stderr).toMatch(
      /would not come up again\n {2}exempt .*exemptNamespaces.*, calico-system\n/,
    );
    expect(outcome.exitCode).toBe(1);
  });

  test('with delays alone comes up again', async () => {
    const { exitCode, stdout, stderr } = await check([namespace, service, webhook, storage]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^delay {2}DaemonSet csi\/csi/);
  });

  test('with nothing to say about says what was recognised', async () => {
    const { exitCode, stdout } = await check([namespace, service, webhook, daemonSet('app', '/srv')]);
    expect([exitCode, stdout]).toEqual([
      0,
      [
        'ok  nothing that has to start first waits for validate.trellis.quantum.io',
        '  network of pods: none was recognised',
        '  cluster DNS: none was recognised\n',
      ].join('\n'),
    ]);
  });

  test('as JSON', async () => {
    const { exitCode, stdout } = await check([namespace, service, webhook, network], '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      webhooks: ['validate.trellis.quantum.io'],
      findings: [{ code: 'network-waits', severity: 'deadlock', namespace: 'calico-system' }],
      recognised: [{ role: 'network', workload: 'DaemonSet calico-system/calico-system' }],
    });
  });

  test('with values that are not installed yet: they come after what is', async () => {
    const rest = await files.write('rest.yaml', list(namespace, service, network, webhook));
    const [first] = webhook.webhooks;
    const values = ['trellis-system', 'calico-system'];
    const matchExpressions = [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values }];
    const next = { ...webhook, webhooks: [{ ...first, namespaceSelector: { matchExpressions } }] };
    const rendered = await files.write('next.yaml', next);
    expect((await trellis('check', rest, rendered)).exitCode).toBe(0);
    expect((await trellis('check', rendered, rest)).exitCode).toBe(1);
  });

  test('in several files', async () => {
    const [rest, ours] = [
      await files.write('rest.yaml', list(namespace, service, network)),
      await files.write('ours.yaml', webhook),
    ];
    expect((await trellis('check', rest, ours)).exitCode).toBe(1);
  });
});

describe('refused is', () => {
  test('a cluster without the webhook, for which any answer would be green', async () => {
    expectFailure(await check([namespace, service, network]), 2, /no webhook of Trellis/, /helm template/);
  });

  const ours = { name: 'trellis-webhook', namespace: 'trellis-system' };
  test.each([
    ['Namespaces', [service, webhook, network]],
    ['Services', [namespace, webhook, network, { ...service, metadata: ours }]],
    ['DaemonSets', [namespace, service, webhook, { ...network, kind: 'Deployment' }]],
    ['DaemonSets', [namespace, service, webhook, { ...network, metadata: ours }]],
    ['DaemonSets, and no Services', [namespace, webhook]],
  ])('a cluster without %s, whatever the chart brings along', async (what, objects) => {
    expectFailure(await check(objects), 2, new RegExp(`there are no ${what} of the cluster in these`));
  });

  test('a kind that there is not', async () => {
    const misspelt = { ...network, kind: 'DaemnSet' };
    expectFailure(await check([namespace, service, webhook, misspelt]), 2, /DaemnSet/, /DaemonSet\?/);
    expectFailure(await check([{ ...network, apiVersion: 'apps/v1beta2' }]), 2, /DaemonSet/, /apps\/v1/);
    expectFailure(await check([{ kind: 'Service' }]), 2, /without apiVersion/);
  });

  test('an object that no API server would have taken', async () => {
    expectFailure(await check([{ ...service, spec: { selector: 1 } }]), 2, /Service kubernetes: .*selector/);
    expectFailure(await check([{ ...network, spec: {} }]), 2, /DaemonSet calico-system: .*template/);
  });

  test('standard input twice', async () => {
    expectFailure(await trellis('check', '-', '-'), 2, /can be read once only/);
  });
});

test('what objects are called does not act on the terminal', async () => {
  const { stdout } = await check([namespace, service, webhook, daemonSet('\u001b[2J', '/opt/cni/bin')]);
  expect(stdout).toContain('\\u001b[2J');
  expect(stdout).not.toContain('\u001b');
});
