// What the API server asks the webhook about, by the configurations of the chart as they are installed.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chartDirectory, imageValues, releaseNamespace, startHelm } from '../support/helm.ts';
import { startServiceNetwork } from '../support/kube/service-network.ts';
import { allowing, startStandInWebhook } from '../support/kube/stand-in-webhook.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { loopbackAddress } from '../support/ports.ts';
import { makeTls, type TlsFiles } from '../support/registry/tls.ts';
import { until } from '../support/until.ts';

interface Review {
  readonly request: {
    readonly uid: string;
    readonly operation: string;
    readonly resource: { readonly resource: string };
    readonly subResource?: string;
    readonly namespace: string;
    readonly dryRun?: boolean;
  };
}

let kube: Kube;
/** In words: `/validate CREATE pods trading`. */
const asked: string[] = [];

beforeAll(async () => {
  const network = await startServiceNetwork();
  kube = await startKube({ apiServerArgs: network.apiServerArgs });
  const helm = await startHelm(kube.kubeconfig);
  for (const name of [releaseNamespace, 'trading', 'storage']) {
    await kube.create('/api/v1/namespaces', { metadata: { name } });
  }
  const tls = await makeTls(`trellis-webhook.${releaseNamespace}.svc`);
  const values = {
    image: imageValues,
    exemptNamespaces: ['kube-system', 'storage'],
    webhook: { certificate: certificateOf(tls) },
  };
  const installed = await helm(
    ['install', 'trellis', chartDirectory, '--namespace', releaseNamespace],
    values,
  );
  expect(installed).toMatchObject({ status: 0, stderr: '' });
  network.lead(await startWebhook(tls));
  await until('the webhook to be asked', async () => {
    const path = '/api/v1/namespaces/trading/pods?dryRun=All';
    return (await kube.request('POST', path, pod('first'))).status === 201 && asked.length > 1;
  });
});

beforeEach(() => {
  asked.length = 0;
});

const certificateOf = ({ ca }: TlsFiles) => ({
  ...{ mode: 'provided', provided: { secretName: 'own', caBundle: ca } },
});

/** Allows everything. */
async function startWebhook(tls: TlsFiles) {
  const answer = (path: string, review: unknown): object => {
    const { request: about } = review as Review;
    const what = [about.resource.resource, about.subResource].filter(Boolean).join('/');
    asked.push(`${path} ${about.operation} ${what} ${about.namespace}${about.dryRun ? ' dry' : ''}`);
    return allowing(about.uid);
  };
  return await startStandInWebhook(tls, answer, loopbackAddress());
}

const spec = { containers: [{ name: 'app', image: 'registry.example/app' }] };
const template = { metadata: { labels: { app: 'a' } }, spec };
const selector = { matchLabels: { app: 'a' } };
const pod = (name: string) => ({ metadata: { name }, spec });
const jobTemplate = { spec: { template: { spec: { ...spec, restartPolicy: 'Never' } } } };

describe('asked about', () => {
  test('pods that are made and changed, by both webhooks', async () => {
    const pods = '/api/v1/namespaces/trading/pods';
    await kube.create(pods, pod('app'));
    const change = async (path: string, patch: object) => {
      const contentType = 'application/strategic-merge-patch+json';
      const answer = await kube.request('PATCH', path, patch, { contentType });
      expect(answer).toMatchObject({ status: 200 });
    };
    await change(`${pods}/app`, { metadata: { labels: { a: 'b' } } });
    const ephemeralContainers = [{ name: 'debug', image: 'registry.example/debug' }];
    await change(`${pods}/app/ephemeralcontainers`, { spec: { ephemeralContainers } });
    expect(asked).toEqual([
      '/mutate CREATE pods trading',
      '/validate CREATE pods trading',
      '/mutate UPDATE pods trading',
      '/validate UPDATE pods trading',
      '/mutate UPDATE pods/ephemeralcontainers trading',
      '/validate UPDATE pods/ephemeralcontainers trading',
    ]);
  });

  test('resources of pods that run, by the one that judges', async () => {
    const pods = '/api/v1/namespaces/trading/pods';
    const sized = (cpu: string) => [{ ...spec.containers[0], resources: { requests: { cpu } } }];
    await kube.create(pods, { metadata: { name: 'sized' }, spec: { containers: sized('10m') } });
    asked.length = 0;
    const patch = { spec: { containers: [{ name: 'app', resources: { requests: { cpu: '20m' } } }] } };
    const contentType = 'application/strategic-merge-patch+json';
    const answer = await kube.request('PATCH', `${pods}/sized/resize`, patch, { contentType });
    expect(answer).toMatchObject({ status: 200 });
    expect(asked).toEqual(['/validate UPDATE pods/resize trading']);
  });

  test.each([
    ['/apis/apps/v1', 'deployments', { selector, template }],
    ['/apis/apps/v1', 'statefulsets', { selector, template, serviceName: 'a' }],
    ['/apis/apps/v1', 'daemonsets', { selector, template }],
    ['/apis/apps/v1', 'replicasets', { selector, template }],
    ['/api/v1', 'replicationcontrollers', { selector: { app: 'a' }, template }],
    ['/apis/batch/v1', 'jobs', jobTemplate.spec],
    ['/apis/batch/v1', 'cronjobs', { schedule: '@daily', jobTemplate }],
  ])('templates: %s %s', async (group, resource, fields) => {
    const path = `${group}/namespaces/trading/${resource}`;
    await kube.create(path, { metadata: { name: 'a' }, spec: fields });
    const contentType = 'application/merge-patch+json';
    await kube.request('PATCH', `${path}/a`, { metadata: { labels: { a: 'b' } } }, { contentType });
    expect(asked).toEqual([`/validate CREATE ${resource} trading`, `/validate UPDATE ${resource} trading`]);
  });

  test('dry runs, which are called so', async () => {
    await kube.request('POST', '/api/v1/namespaces/trading/pods?dryRun=All', pod('dry'));
    expect(asked).toEqual(['/mutate CREATE pods trading dry', '/validate CREATE pods trading dry']);
  });
});

describe('not asked about', () => {
  test.each(['kube-system', 'storage', releaseNamespace])('what is in %s', async (namespace) => {
    await kube.create(`/api/v1/namespaces/${namespace}/pods`, pod('exempt'));
    expect(asked).toEqual([]);
  });

  test('what the kubelet says of a pod, its deletion, and other kinds', async () => {
    const pods = '/api/v1/namespaces/trading/pods';
    await kube.create(pods, pod('short'));
    asked.length = 0;
    const contentType = 'application/merge-patch+json';
    await kube.request('PATCH', `${pods}/short/status`, { status: { phase: 'Running' } }, { contentType });
    await kube.request('DELETE', `${pods}/short`, { gracePeriodSeconds: 0 });
    await kube.create('/api/v1/namespaces/trading/configmaps', { metadata: { name: 'a' } });
    expect(asked).toEqual([]);
  });
});
