// What the accounts of the chart may do, as the API server says, and what they may not.

import { beforeAll, describe, expect, test } from 'vitest';
import { chartDirectory, type Helm, imageValues, releaseNamespace, startHelm } from '../support/helm.ts';
import { type Kube, startKube } from '../support/kube.ts';

const webhook = 'trellis-webhook';
const controlPlane = 'trellis-control-plane';

let kube: Kube;
let helm: Helm;

beforeAll(async () => {
  kube = await startKube();
  helm = await startHelm(kube.kubeconfig);
  for (const name of [releaseNamespace, 'trading', 'other']) {
    await kube.create('/api/v1/namespaces', { metadata: { name } });
  }
  await apply('install');
});

async function apply(command: 'install' | 'upgrade', values: object = {}): Promise<void> {
  const args = [command, 'trellis', chartDirectory, '--namespace', releaseNamespace];
  const result = await helm(args, { image: imageValues, controlPlane: { enabled: true }, ...values });
  expect(result).toMatchObject({ status: 0, stderr: '' });
}

interface Attributes {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** From words such as `get secrets trading/pull`; a star before the slash is for all namespaces, nothing after it for all names. */
function attributes(text: string): Attributes {
  const [verb = '', target = '', place = ''] = text.split(' ');
  const [kind = '', subresource] = target.split('/');
  const [resource = '', ...group] = kind.split('.');
  const [namespace, name] = place.includes('/') ? place.split('/') : ['', place];
  return {
    ...{ verb, resource, group: group.join('.') },
    ...(namespace !== '*' && namespace && { namespace }),
    ...(name && { name }),
    ...(subresource !== undefined && { subresource }),
  };
}

/** Asked with the account's own token. */
async function may(account: string, text: string): Promise<boolean> {
  const token = await kube.tokenFor(releaseNamespace, account);
  const review = { spec: { resourceAttributes: attributes(text) } };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const { status, body } = await kube.request('POST', path, review, { token });
  expect(status).toBe(201);
  return (body as { status: { allowed: boolean } }).status.allowed;
}

async function allowed(account: string, texts: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(texts.map((text) => may(account, text)));
  return texts.filter((_, index) => answers[index]);
}

const policies = 'quantumsecuritypolicies.security.quantum.io';
const validating = 'validatingwebhookconfigurations.admissionregistration.k8s.io';
const mutating = 'mutatingwebhookconfigurations.admissionregistration.k8s.io';
const ownConfigurations = [validating, mutating].flatMap((kind) => [
  `get ${kind} ${webhook}`,
  `patch ${kind} ${webhook}`,
]);
const ownSecret = `${releaseNamespace}/trellis-webhook-certificate`;

const webhookMay = [
  `list ${policies} */`,
  `watch ${policies} */`,
  `patch ${policies}/status trading/p`,
  'list pods */',
  'list namespaces',
  'create events.events.k8s.io trading/',
  'patch events.events.k8s.io trading/any',
  'create reports.openreports.io trading/',
  'get reports.openreports.io trading/trellis-admission',
  'update reports.openreports.io trading/trellis-admission',
  'delete reports.openreports.io trading/trellis-admission',
  'create policyreports.wgpolicyk8s.io trading/',
  'update policyreports.wgpolicyk8s.io trading/trellis-admission',
  'delete policyreports.wgpolicyk8s.io trading/trellis-admission',
  'get secrets trading/pull',
  'get serviceaccounts trading/default',
  'get configmaps trading/keys',
  `get leases.coordination.k8s.io ${releaseNamespace}/${webhook}`,
  `update leases.coordination.k8s.io ${releaseNamespace}/${webhook}`,
  `create leases.coordination.k8s.io ${releaseNamespace}/`,
  `update secrets ${ownSecret}`,
  ...ownConfigurations,
];

const webhookMayNot = [
  ...['list', 'watch', 'create', 'update', 'patch', 'delete'].map((verb) => `${verb} secrets trading/pull`),
  ...['list', 'watch', 'create', 'patch', 'delete'].map((verb) => `${verb} secrets ${ownSecret}`),
  `update secrets ${releaseNamespace}/other`,
  ...['create', 'update', 'patch', 'delete'].map((verb) => `${verb} pods trading/app`),
  ...['pods/exec', 'pods/ephemeralcontainers', 'serviceaccounts/token'].map(
    (each) => `create ${each} trading/app`,
  ),
  ...['list', 'watch', 'create', 'update'].map((verb) => `${verb} serviceaccounts trading/default`),
  ...['list', 'watch', 'create', 'update'].map((verb) => `${verb} configmaps trading/keys`),
  ...['create', 'update', 'patch', 'delete'].map((verb) => `${verb} ${policies} trading/p`),
  `update ${policies}/status trading/p`,
  ...['create', 'update', 'patch', 'delete'].map((verb) => `${verb} namespaces trading`),
  // A webhook that stops never takes its configuration away.
  ...[validating, mutating].flatMap((kind) => [
    ...['list', 'watch', 'create', 'update', 'delete'].map((verb) => `${verb} ${kind} ${webhook}`),
    ...['get', 'patch'].map((verb) => `${verb} ${kind} another`),
  ]),
  'update reports.openreports.io trading/another',
  'delete policyreports.wgpolicyk8s.io trading/another',
  'list events.events.k8s.io trading/',
  'update leases.coordination.k8s.io trading/any',
  `delete leases.coordination.k8s.io ${releaseNamespace}/${webhook}`,
  `update leases.coordination.k8s.io ${releaseNamespace}/another`,
  'update deployments.apps trellis-system/trellis-webhook',
  'escalate clusterroles.rbac.authorization.k8s.io',
  'impersonate users admin',
];

describe('the webhook', () => {
  test('may do what it is for, and nothing beside', async () => {
    expect(await allowed(webhook, webhookMay)).toEqual(webhookMay);
    expect(await allowed(webhook, webhookMayNot)).toEqual([]);
  });

  test('reads a pull secret by its name, and cannot find out which there are', async () => {
    const secrets = '/api/v1/namespaces/trading/secrets';
    const data = { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') };
    await kube.create(secrets, { metadata: { name: 'pull' }, type: 'kubernetes.io/dockerconfigjson', data });
    const own = { token: await kube.tokenFor(releaseNamespace, webhook) };
    expect(await kube.request('GET', `${secrets}/pull`, undefined, own)).toMatchObject({ status: 200 });
    expect(await kube.request('GET', secrets, undefined, own)).toMatchObject({ status: 403 });
  });

  test('reads Secrets and ConfigMaps in named namespaces only, if it is told so', async () => {
    const pullSecrets = { namespaces: ['trading'] };
    await apply('upgrade', { webhook: { pullSecrets, keyConfigMaps: { namespaces: [releaseNamespace] } } });
    const reads = (namespace: string) =>
      ['secrets', 'serviceaccounts', 'configmaps'].map((kind) => `get ${kind} ${namespace}/any`);
    expect(await allowed(webhook, ['trading', 'other', releaseNamespace].flatMap(reads))).toEqual([
      'get secrets trading/any',
      'get serviceaccounts trading/any',
      `get configmaps ${releaseNamespace}/any`,
    ]);
    expect(await allowed(webhook, [`get secrets ${ownSecret}`, `update secrets ${ownSecret}`])).toHaveLength(
      2,
    );
    await apply('upgrade', {
      webhook: { pullSecrets: { namespaces: [] }, keyConfigMaps: { namespaces: [] } },
    });
    expect(await allowed(webhook, ['trading', releaseNamespace].flatMap(reads))).toEqual([]);
    await apply('upgrade');
    expect(await allowed(webhook, reads('other'))).toEqual(reads('other'));
  });

  test('touches neither Secret nor configurations where the certificate is not its own', async () => {
    const certificate = { mode: 'provided', provided: { secretName: 'own', caBundle: kube.ca } };
    const pullSecrets = { namespaces: ['trading'] };
    await apply('upgrade', { webhook: { certificate, pullSecrets } });
    const rights = [
      ...ownConfigurations,
      `get secrets ${releaseNamespace}/own`,
      `update secrets ${ownSecret}`,
    ];
    expect(await allowed(webhook, rights)).toEqual([]);
    await apply('upgrade');
  });
});

test('the control plane reads what the mesh is made of, and writes nothing', async () => {
  const kinds = [
    ...['pods', 'services', 'serviceaccounts', 'endpointslices.discovery.k8s.io'],
    ...['quantumservices.quantum.io', policies],
  ];
  const reads = kinds.flatMap((kind) => [`list ${kind} */`, `watch ${kind} */`]);
  expect(await allowed(controlPlane, reads)).toEqual(reads);
  const writes = kinds.flatMap((kind) =>
    ['create', 'update', 'patch', 'delete'].map((verb) => `${verb} ${kind} trading/any`),
  );
  const others = [
    'get secrets trading/pull',
    'list configmaps */',
    `get secrets ${ownSecret}`,
    'create pods/exec trading/a',
  ];
  expect(await allowed(controlPlane, [...writes, ...others, ...ownConfigurations])).toEqual([]);
});
