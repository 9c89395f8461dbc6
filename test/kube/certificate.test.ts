// The serving certificate on a real API server, kept with no more rights than the chart gives, while it calls the webhook all the time.

import { beforeAll, describe, expect, test } from 'vitest';
import { keepServingCertificate } from '../../src/admission/certificate/keep.ts';
import type { ServingSource } from '../../src/admission/certificate/serving-pair.ts';
import type { CertificateTiming } from '../../src/admission/certificate/timing.ts';
import { startWebhookServer } from '../../src/admission/server/server.ts';
import { systemClock } from '../../src/sources/kubernetes/clock.ts';
import { createKubeClient } from '../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits } from '../../src/sources/kubernetes/limits.ts';
import { onEnd } from '../support/cleanup.ts';
import { allowing } from '../support/kube/stand-in-webhook.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const namespace = 'trellis-system';
const service = 'trellis-webhook';
const secretName = 'trellis-webhook-certificate';
const day = 24 * 3_600_000;
const secrets = `/api/v1/namespaces/${namespace}/secrets`;
const registration = '/apis/admissionregistration.k8s.io/v1';
const kinds = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'] as const;
const webhooks = { [kinds[0]]: 'validate', [kinds[1]]: 'mutate' } as const;
/** Lives are as long as ever, waits are not. */
const quick: Partial<CertificateTiming> = {
  propagationMs: 1_500,
  urgentMs: 500,
  retireMs: 1_500,
  pollMs: 200,
  firstPollMs: 50,
};

let kube: Kube;
let port: number;
let token: string;

beforeAll(async () => {
  kube = await startKube();
  port = await freePort();
  await kube.create('/api/v1/namespaces', { metadata: { name: namespace } });
  await kube.create(`/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: service },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
  });
  await kube.create(secrets, { metadata: { name: secretName, labels: { app: 'trellis' } } });
  for (const kind of kinds) await kube.create(`${registration}/${kind}`, configuration(webhooks[kind]));
  token = await keeperToken();
});

/** As the chart ships it, but for ConfigMaps of one label. */
function configuration(webhook: 'validate' | 'mutate'): object {
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] };
  return {
    metadata: { name: 'trellis-webhook' },
    webhooks: [
      {
        ...{ name: `${webhook}.trellis.quantum.io`, failurePolicy: 'Fail', sideEffects: 'None' },
        ...{ admissionReviewVersions: ['v1'], timeoutSeconds: 10, rules: [rule] },
        clientConfig: { service: { namespace, name: service, port, path: `/${webhook}` } },
        objectSelector: { matchLabels: { judged: 'yes' } },
      },
    ],
  };
}

/** Of an account that may do what a replica does, and nothing else. */
async function keeperToken(): Promise<string> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const group = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', namespace, name: service }];
  const metadata = { name: service };
  await kube.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata });
  const onSecret = {
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: [secretName],
    verbs: ['get', 'update'],
  };
  await kube.create(`${rbac}/namespaces/${namespace}/roles`, { metadata, rules: [onSecret] });
  const roleRef = { apiGroup: group, kind: 'Role', name: service };
  await kube.create(`${rbac}/namespaces/${namespace}/rolebindings`, { metadata, subjects, roleRef });
  const onConfigurations = {
    ...{ apiGroups: ['admissionregistration.k8s.io'], resources: kinds },
    ...{ resourceNames: ['trellis-webhook'], verbs: ['get', 'patch'] },
  };
  await kube.create(`${rbac}/clusterroles`, { metadata, rules: [onConfigurations] });
  const clusterRoleRef = { ...roleRef, kind: 'ClusterRole' };
  await kube.create(`${rbac}/clusterrolebindings`, { metadata, subjects, roleRef: clusterRoleRef });
  return await kube.tokenFor(namespace, service);
}

interface Replica {
  readonly set: {
    leads: boolean;
    /** How far its clock is ahead. */
    offsetMs: number;
  };
  readonly steps: string[];
  readonly errors: string[];
  readonly ready: Promise<ServingSource>;
}

function startReplica(leads: boolean): Replica {
  const client = createKubeClient(
    {
      ...{ server: new URL(kube.url), ca: { text: kube.ca }, token: { text: token } },
      ...{ tlsServerName: undefined, client: undefined, namespace: undefined },
    },
    defaultLimits,
  );
  const controller = new AbortController();
  const set = { leads, offsetMs: 0 };
  const [steps, errors]: [string[], string[]] = [[], []];
  const { ready, ended } = keepServingCertificate({
    ...{ client, namespace, secret: secretName, configuration: 'trellis-webhook', timing: quick },
    names: [`${service}.${namespace}.svc`],
    isLeader: () => set.leads,
    signal: controller.signal,
    clock: { ...systemClock, now: () => new Date(Date.now() + set.offsetMs) },
    report: {
      step: (step) => steps.push(step),
      trusted: () => {},
      failed: (error) => errors.push(String(error)),
      recovered: () => {},
      expiry: () => {},
    },
  });
  onEnd(async () => {
    controller.abort();
    await ended;
    await client.close();
  });
  return { set, steps, errors, ready };
}

async function serve(certificate: ServingSource): Promise<void> {
  const allow = async (body: unknown): Promise<object> => {
    const { uid } = (body as { request: { uid: string } }).request;
    return allowing(uid);
  };
  const server = await startWebhookServer({
    ...{ host: '127.0.0.1', port, certificate, validate: allow, mutate: allow },
    report: { finished: () => {}, failed: () => {}, certificateRefused: () => {} },
    // Handshakes all the time.
    limits: { maxRequestsPerConnection: 3 },
  });
  onEnd(() => server.close(0));
}

let count = 0;

/** Undefined when it was admitted. */
async function admit(): Promise<string | undefined> {
  count++;
  const metadata = { name: `judged-${count}`, labels: { judged: 'yes' } };
  const { status, body } = await kube.request('POST', '/api/v1/namespaces/default/configmaps?dryRun=All', {
    metadata,
  });
  return status === 201 ? undefined : (body as { message: string }).message;
}

/** Asks all the time, until it is ended. */
function load(): { end(): Promise<{ readonly asked: number; readonly refusals: readonly string[] }> } {
  let asked = 0;
  let going = true;
  const refusals = new Set<string>();
  const workers = Array.from({ length: 3 }, async () => {
    while (going) {
      const refusal = await admit();
      asked++;
      if (refusal !== undefined) refusals.add(refusal);
    }
  });
  const end = async () => {
    going = false;
    await Promise.allSettled(workers);
    return { asked, refusals: [...refusals] };
  };
  onEnd(end);
  return { end };
}

async function setData(data: Readonly<Record<string, string>>): Promise<void> {
  const { body } = await kube.request('GET', `${secrets}/${secretName}`);
  const { status } = await kube.request('PUT', `${secrets}/${secretName}`, { ...(body as object), data });
  expect(status).toBe(200);
}

async function setBundle(kind: (typeof kinds)[number], caBundle: string): Promise<void> {
  const patch = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }];
  const contentType = 'application/json-patch+json';
  const { status } = await kube.request('PATCH', `${registration}/${kind}/trellis-webhook`, patch, {
    contentType,
  });
  expect(status).toBe(200);
}

async function secret(): Promise<{
  readonly data: Readonly<Record<string, string>>;
  readonly metadata: object;
}> {
  const { body } = await kube.request('GET', `${secrets}/${secretName}`);
  return body as { data: Readonly<Record<string, string>>; metadata: object };
}

describe('one replica leads, the other one serves', () => {
  test('from the first start, through every exchange: nothing that is asked is refused', async () => {
    const [leader, follower] = [startReplica(true), startReplica(false)];
    expect(await admit()).toContain('failed calling webhook');
    await serve(await follower.ready);
    await until('the first admission', async () => (await admit()) === undefined);
    expect(leader.steps).toEqual(['created']);
    expect((await secret()).metadata).toMatchObject({ labels: { app: 'trellis' } });
    const step = (name: string, times: number): Promise<unknown> =>
      until(`${name} ${times}`, () => leader.steps.filter((each) => each === name).length >= times);
    const going = load();

    // A leaf is old after 20 days, a CA after 243; clocks of API servers stay as they are.
    leader.set.offsetMs = 21 * day;
    await step('leaf-renewed', 1);
    leader.set.offsetMs = 245 * day;
    await step('ca-retired', 1);

    // Past the end of everything, and back.
    leader.set.offsetMs = 1_200 * day;
    await step('ca-activated', 2);
    leader.set.offsetMs = 0;

    const { data } = await secret();
    await setData({ ...data, 'tls.key': data['ca.key'] ?? '' });
    await step('restored', 1);
    await setData({ ...data, 'ca.key': '' });
    await step('restored', 2);
    // Emptied: another CA.
    await setData({});
    await step('ca-activated', 3);

    // Another leader goes on where this one ended.
    leader.set.leads = false;
    follower.set.leads = true;
    // Its CA covers the days that the clock of the other one had reached.
    follower.set.offsetMs = 1_460 * day;
    await until('its exchange', () => follower.steps.includes('ca-activated'));

    const { asked, refusals } = await going.end();
    expect(refusals).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    expect([...leader.errors, ...follower.errors]).toEqual([]);
  });

  test('a caBundle that somebody has overwritten is mended', async () => {
    const leader = startReplica(true);
    await serve(await leader.ready);
    await until('an admission', async () => (await admit()) === undefined);
    for (const kind of kinds) {
      await setBundle(kind, Buffer.from(kube.ca).toString('base64'));
      await until('its mending', async () => {
        const { body } = await kube.request('GET', `${registration}/${kind}/trellis-webhook`);
        return !JSON.stringify(body).includes(Buffer.from(kube.ca).toString('base64'));
      });
    }
    await until('an admission', async () => (await admit()) === undefined);
    // What was there was mended, not begun anew.
    expect(leader.steps).toEqual([]);
  });

  test('a Secret that is deleted cannot be made again with these rights: said, and all goes on until somebody does', async () => {
    const leader = startReplica(true);
    await serve(await leader.ready);
    await until('an admission', async () => (await admit()) === undefined);
    const going = load();
    await kube.request('DELETE', `${secrets}/${secretName}`);
    await until('the word', () => leader.errors.length > 0);
    expect(leader.errors).toEqual([
      expect.stringContaining(`kubectl create secret generic -n ${namespace} ${secretName}`),
    ]);
    await kube.create(secrets, { metadata: { name: secretName } });
    await until('another CA', () => leader.steps.includes('ca-retired'));
    expect((await going.end()).refusals).toEqual([]);
  });
});
