// Who waits for whom in a cluster that starts with no pod in it.

import { describe, expect, test } from 'vitest';
import { readClusterObjects } from '../../../../src/admission/cold-start/cluster-objects.ts';
import { coldStart } from '../../../../src/admission/cold-start/deadlocks.ts';

const namespace = (name: string, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

interface Workload {
  readonly labels?: object;
  readonly kind?: string;
  readonly hostPath?: string;
  readonly image?: string;
  readonly priorityClassName?: string;
}

function workload(place: string, given: Workload = {}) {
  const [namespace, name] = place.split('/');
  const { kind = 'Deployment', labels = { app: name }, hostPath, image = 'registry.example/app:1' } = given;
  const { priorityClassName } = given;
  const volumes = hostPath === undefined ? [] : [{ name: 'host', hostPath: { path: hostPath } }];
  const spec = { containers: [{ name: 'app', image }], volumes, priorityClassName };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { namespace, name },
    spec: { template: { metadata: { labels }, spec } },
  };
}

function service(place: string, labels: object = {}) {
  const [namespace, name] = place.split('/');
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, labels },
    spec: { selector: { app: name } },
  };
}

interface Webhook {
  readonly exempt?: readonly string[];
  readonly kind?: 'Validating' | 'Mutating';
  readonly failurePolicy?: 'Fail' | 'Ignore';
  readonly rules?: readonly object[];
  readonly objectSelector?: object;
  readonly clientConfig?: object;
}

const podRule = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] };

function webhook(name: string, place: string, given: Webhook = {}) {
  const [namespace, service] = place.split('/');
  const { exempt = [], kind = 'Validating', rules = [podRule], objectSelector, failurePolicy } = given;
  const { clientConfig = { service: { namespace, name: service } } } = given;
  const key = 'kubernetes.io/metadata.name';
  const namespaceSelector = { matchExpressions: [{ key, operator: 'NotIn', values: exempt }] };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: `of-${name}` },
    webhooks: [{ name, failurePolicy, clientConfig, namespaceSelector, objectSelector, rules }],
  };
}

const own = 'validate.trellis.quantum.io';
const ownPlace = 'trellis-system/trellis-webhook';
const ours = (exempt: readonly string[] = ['kube-system', 'trellis-system'], changes: Webhook = {}) =>
  webhook(own, ownPlace, { exempt, ...changes });
const installed = [namespace('trellis-system'), workload(ownPlace), service(ownPlace)];

const findings = (...objects: readonly object[]) =>
  coldStart(readClusterObjects([...installed, ...objects])).findings;
const found = (...objects: readonly object[]) =>
  findings(...objects).map(({ code, workload: name }) => `${code}: ${name}`);

test('what runs outside of the exempt namespaces and is needed by nothing waits, and that is all', () => {
  expect(found(ours(), namespace('trading'), workload('trading/app'), service('trading/app'))).toEqual([]);
});

describe('the webhook itself', () => {
  test('in a namespace that it judges', () => {
    expect(findings(ours(['kube-system']))).toMatchObject([
      {
        code: 'webhook-judges-itself',
        severity: 'deadlock',
        workload: 'Deployment trellis-system/trellis-webhook',
        namespace: 'trellis-system',
      },
    ]);
  });

  test.each([
    ['fails open', { failurePolicy: 'Ignore' }],
    ['judges no new pods', { rules: [{ ...podRule, operations: ['UPDATE'] }] }],
    ['judges their subresources alone', { rules: [{ ...podRule, resources: ['pods/*'] }] }],
    ['judges another group', { rules: [{ ...podRule, apiGroups: ['apps'] }] }],
    ['runs outside of the cluster', { clientConfig: { url: 'https://webhook.example/validate' } }],
    ['selects other pods', { objectSelector: { matchLabels: { app: 'other' } } }],
  ] as const)('not when it %s', (_, changes) => {
    expect(found(ours([], changes))).toEqual([]);
  });

  test.each([
    ['*', '*', '*'],
    ['', '*/*', 'CREATE'],
  ])('when a rule covers pods by %j %j %j', (apiGroups, resources, operations) => {
    const rule = { apiGroups: [apiGroups], resources: [resources], operations: [operations] };
    expect(found(ours([], { rules: [rule] }))).toHaveLength(1);
  });

  test('without a failure policy it fails closed, as the API server has it', () => {
    const { failurePolicy } = ours([]).webhooks[0] ?? {};
    expect([failurePolicy, found(ours([])).length]).toEqual([undefined, 1]);
  });
});

describe('other webhooks', () => {
  const place = 'kyverno/kyverno';
  const other = (exempt: readonly string[], changes: Webhook = {}) =>
    webhook('validate.kyverno.example', place, { exempt, ...changes });
  const running = [namespace('kyverno'), workload(place), service(place)];

  test.each(['Validating', 'Mutating'] as const)('%s: each judges the pods of the other', (kind) => {
    const [finding, ...more] = findings(ours(), ...running, other(['kyverno'], { kind }));
    expect(finding).toMatchObject({
      code: 'webhooks-wait-for-each-other',
      severity: 'deadlock',
      workload: 'Deployment kyverno/kyverno',
      namespace: 'kyverno',
      message: expect.stringContaining('validate.kyverno.example (of-validate.kyverno.example)'),
    });
    expect(more).toEqual([]);
  });

  test.each([
    ['it leaves our namespace alone', ours(), other(['trellis-system'])],
    ['we leave its namespace alone', ours(['trellis-system', 'kyverno']), other([])],
    ['it fails open', ours(), other([], { failurePolicy: 'Ignore' })],
  ])('not when %s', (_, mine, theirs) => {
    expect(found(mine, theirs, ...running)).toEqual([]);
  });

  test('over a third one', () => {
    const third = webhook('third.example', 'third/third', { exempt: ['trellis-system', 'third'] });
    const pods = [namespace('third'), workload('third/third'), service('third/third')];
    const [finding] = findings(
      ours(['trellis-system', 'kyverno']),
      other(['third']),
      third,
      ...running,
      ...pods,
    );
    expect(finding).toMatchObject({
      code: 'webhooks-wait-for-each-other',
      workload: 'Deployment third/third',
      message: expect.stringMatching(/validate\.kyverno\.example .*third\.example/),
    });
  });

  test('that wait for each other, and not for ours, end the search', () => {
    const theirs = webhook('b.example', 'b/b', { exempt: ['trellis-system'] });
    const pods = [namespace('b'), workload('b/b'), service('b/b')];
    expect(found(ours(['trellis-system', 'kyverno', 'b']), other([]), theirs, ...running, ...pods)).toEqual(
      [],
    );
  });
});

describe('what has to start first', () => {
  const dns = { ...service('dns/coredns', { 'k8s-app': 'kube-dns' }) };
  /** Without the label, as some distributions have it. */
  const served = (clusterIP: string, protocol = 'UDP') => ({
    ...service('dns/coredns'),
    spec: { selector: { app: 'coredns' }, clusterIP, ports: [{ port: 53, protocol }] },
  });
  test.each([
    ['network-waits', [workload('net/cni', { kind: 'DaemonSet', hostPath: '/etc/cni/net.d' })]],
    [
      'network-waits',
      [workload('net/cni', { kind: 'DaemonSet', hostPath: '/var/lib/rancher/agent/etc/cni/net.d' })],
    ],
    ['dns-waits', [workload('dns/coredns'), dns]],
    ['dns-waits', [workload('dns/coredns'), served('172.30.0.10')]],
    ['dns-waits', [workload('dns/coredns'), served('fd00:10:96::a')]],
    [
      'registry-waits',
      [
        workload('harbor/core'),
        service('harbor/core'),
        workload('a/b', { image: 'core.harbor.svc:5000/app:1' }),
      ],
    ],
    [
      'registry-waits',
      [workload('harbor/core', { image: 'core.harbor.svc.cluster.local/core:1' }), service('harbor/core')],
    ],
    [
      'storage-waits',
      [workload('csi/node', { kind: 'DaemonSet', hostPath: '/var/lib/kubelet/plugins_registry/' })],
    ],
    ['critical-waits', [workload('proxy/proxy', { priorityClassName: 'system-node-critical' })]],
  ] as const)('%s', (code, objects) => {
    const [first] = objects;
    const { namespace, name } = first.metadata;
    expect(found(ours(), ...objects)).toEqual([`${code}: ${first.kind} ${namespace}/${name}`]);
    expect(found(ours(['trellis-system', namespace ?? '']), ...objects)).toEqual([]);
    const severity = /network|dns|registry/.test(code) ? 'deadlock' : 'delay';
    expect(findings(ours(), ...objects).map((each) => each.severity)).toEqual([severity]);
  });

  test.each([
    [
      'a directory that is only called so',
      [workload('a/b', { kind: 'DaemonSet', hostPath: '/srv/cnidata' })],
    ],
    ['one pod with the directory of plugins', [workload('a/b', { hostPath: '/opt/cni/bin' })]],
    ['a Service of DNS with pods of another namespace', [workload('other/coredns'), dns]],
    [
      'an image of an address that is none of a Service',
      [
        workload('harbor/core'),
        service('harbor/core'),
        workload('a/b', { image: 'core.harbor.example/app:1' }),
      ],
    ],
    ["somebody's server of DNS", [workload('dns/coredns'), served('172.30.4.110')]],
    ['a web server at the tenth address', [workload('dns/coredns'), served('172.30.0.10', 'TCP')]],
    ['a Service that selects nothing', [workload('dns/x'), { ...dns, spec: {} }]],
  ] as const)('not %s', (_, objects) => {
    expect(found(ours(), ...objects)).toEqual([]);
  });

  test('namespaces are exempt by their labels, too', () => {
    const rule = { matchExpressions: [{ key: 'exempt', operator: 'DoesNotExist' }] };
    const mine = ours();
    const [first] = mine.webhooks;
    const byLabel = { ...mine, webhooks: [{ ...first, namespaceSelector: rule }] };
    const cni = workload('net/cni', { kind: 'DaemonSet', hostPath: '/opt/cni/bin' });
    const others = [namespace('trellis-system', { exempt: 'yes' }), cni];
    expect(found(byLabel, ...others, namespace('net'))).toEqual(['network-waits: DaemonSet net/cni']);
    expect(found(byLabel, ...others, namespace('net', { exempt: '' }))).toEqual([]);
  });
});

test('what was recognised is told, also where it does not wait', () => {
  const cni = workload('kube-system/kindnet', { kind: 'DaemonSet', hostPath: '/opt/cni/bin' });
  const { recognised, findings: none } = coldStart(readClusterObjects([...installed, ours(), cni]));
  expect([recognised, none]).toEqual([[{ role: 'network', workload: 'DaemonSet kube-system/kindnet' }], []]);
});

describe('objects', () => {
  test('that are given twice count once, the last of them', () => {
    const twice = workload('a/b', { kind: 'DaemonSet', hostPath: '/opt/cni/bin' });
    expect(found(ours(), twice, twice)).toHaveLength(1);
    expect(found(ours(), twice, workload('a/b', { kind: 'DaemonSet' }))).toEqual([]);
  });

  test('of other groups with the same kinds are passed over', () => {
    const foreign = { ...service('a/b'), apiVersion: 'serving.knative.dev/v1' };
    expect(readClusterObjects([foreign, { kind: 'Service' }, null, 'text'])).toMatchObject({ services: [] });
  });

  test.each([
    [
      'a webhook without a name',
      { ...ours(), webhooks: [{}] },
      /ValidatingWebhookConfiguration of-validate.*: .*name/,
    ],
    ['a selector that is none', { ...service('a/b'), spec: { selector: 'app' } }, /Service b: .*selector/],
    ['a namespace without metadata', { apiVersion: 'v1', kind: 'Namespace' }, /Namespace without a name/],
  ])('%s is refused', (_, object, message) => {
    expect(() => readClusterObjects([object])).toThrow(message);
    expect(() => readClusterObjects([object])).toThrow(
      expect.objectContaining({ code: 'ERR_OBJECT_INVALID' }),
    );
  });

  test('a workload whose template cannot be read is refused', () => {
    const broken = { ...workload('a/b'), spec: {} };
    expect(() => readClusterObjects([broken])).toThrow(
      expect.objectContaining({
        code: 'ERR_OBJECT_INVALID',
        message: expect.stringContaining('Deployment b'),
      }),
    );
  });
});
