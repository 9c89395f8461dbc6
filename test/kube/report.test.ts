// Events and reports on a real API server, with no more rights than they need.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findReportCrds } from '../../scripts/tools/report-crds.ts';
import type { AdmissionDecision, Finding } from '../../src/admission/decision.ts';
import { eventSubject } from '../../src/admission/report/event-subject.ts';
import { createEventRecorder, type EventRecorder } from '../../src/admission/report/events.ts';
import { runRecheck } from '../../src/admission/report/recheck.ts';
import type { AdmissionRequest } from '../../src/admission/review/request.ts';
import { createKubeClient, type KubeClient } from '../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits } from '../../src/sources/kubernetes/limits.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { onEnd } from '../support/cleanup.ts';
import { allowing, startStandInWebhook } from '../support/kube/stand-in-webhook.ts';
import { type Kube, type KubeObject, startKube } from '../support/kube.ts';
import { makeTls } from '../support/registry/tls.ts';
import { requestOf } from '../support/review.ts';
import { until } from '../support/until.ts';
import { contextOf } from '../unit/admission/decide/support.ts';
import { FakeRegistry } from '../unit/signing/verify/fake-registry.ts';

const openReports = '/apis/openreports.io/v1alpha1';
const policyReports = '/apis/wgpolicyk8s.io/v1alpha2';

let kube: Kube;
let token: string;
let crds: string;
let namespace: string;

beforeAll(async () => {
  crds = (await findReportCrds({ env: process.env, log: () => {} })).path;
  kube = await startKube();
  await kube.create('/api/v1/namespaces', { metadata: { name: 'trellis-system' } });
  await kube.create('/api/v1/namespaces/trellis-system/serviceaccounts', { metadata: { name: 'webhook' } });
  await kube.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'webhook' },
    rules: [
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
      { apiGroups: [''], resources: ['namespaces', 'pods'], verbs: ['list'] },
      {
        apiGroups: ['openreports.io', 'wgpolicyk8s.io'],
        resources: ['reports', 'policyreports'],
        verbs: ['create'],
      },
      {
        apiGroups: ['openreports.io', 'wgpolicyk8s.io'],
        resources: ['reports', 'policyreports'],
        resourceNames: ['trellis-admission'],
        verbs: ['get', 'update', 'delete'],
      },
    ],
  });
  await kube.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'webhook' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'webhook' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'trellis-system', name: 'webhook' }],
  });
  token = await kube.tokenFor('trellis-system', 'webhook');
});

beforeEach(async () => {
  namespace = `n-${randomUUID()}`;
  await kube.create('/api/v1/namespaces', { metadata: { name: namespace } });
});

function client(): KubeClient {
  const access = {
    server: new URL(kube.url),
    ca: { text: kube.ca },
    token: { text: token },
    ...{ tlsServerName: undefined, client: undefined, namespace: undefined },
  };
  const made = createKubeClient(access, defaultLimits);
  onEnd(() => made.close());
  return made;
}

function signal(): AbortSignal {
  const controller = new AbortController();
  onEnd(() => controller.abort());
  return controller.signal;
}

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    code: 'image-not-verified',
    enforcement: 'enforce',
    policy: 'trading/images',
    field: 'spec.containers[0].image',
    message: 'no signature of authority ci',
    ...changes,
  };
}

function decision(findings: readonly Finding[]): AdmissionDecision {
  const allowed = !findings.some(({ enforcement }) => enforcement === 'enforce');
  const images = [
    {
      image: 'registry.example/orders@sha256:0',
      field: 'spec.containers[0].image',
      decision: allowed ? 'verified' : 'denied',
      digest: 'sha256:0',
    },
  ] as const;
  return { allowed, findings, images, unchanged: false };
}

/** What is judged by it is decided by each test. */
const nothing = () => contextOf(new FakeRegistry(), []);

const podSpec = { containers: [{ name: 'main', image: 'registry.example/orders' }] };

async function pod(name: string, more: object = {}): Promise<KubeObject> {
  return await kube.create(`/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name, ...more },
    spec: podSpec,
  });
}

describe('events', () => {
  interface Recording {
    readonly events: EventRecorder;
    readonly failures: readonly unknown[];
  }

  function record(limits: object = {}): Recording {
    const failures: unknown[] = [];
    const events = createEventRecorder({
      ...{ client: client(), instance: 'trellis-webhook-0', metrics: createMetrics('1'), signal: signal() },
      failed: (error) => failures.push(error),
      newName: randomUUID,
      limits: { spacingMs: 1, ...limits },
    });
    return { events, failures };
  }

  interface KubeEvent {
    readonly reason: string;
    readonly note: string;
    readonly type: string;
    readonly regarding: { readonly name: string };
    readonly series?: { readonly count: number };
  }

  async function eventsOf(name: string): Promise<readonly KubeEvent[]> {
    const { body } = await kube.request('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    return (body as { items: readonly KubeEvent[] }).items.filter(({ regarding }) => regarding.name === name);
  }

  function requestFor(changes: Partial<AdmissionRequest>): AdmissionRequest {
    return requestOf({}, { namespace, name: undefined, ...changes });
  }

  const owner = (name: string) => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name,
    uid: randomUUID(),
    controller: true,
  });
  const ownedBy = (name: string) => {
    const ownerReferences = [owner(name)];
    return requestFor({ object: { metadata: { generateName: `${name}-`, ownerReferences } } });
  };

  test('a denial is shown with the controller that wants the pod, as kubectl shows it', async () => {
    const { events, failures } = record();
    events.record(ownedBy('orders-7d9'), decision([finding()]));
    const [event] = await until('the event', async () => {
      const found = await eventsOf('orders-7d9');
      return found.length > 0 && found;
    });
    expect(event).toMatchObject({
      type: 'Warning',
      reason: 'AdmissionDenied',
      note: 'no signature of authority ci',
      reportingController: 'trellis.quantum.io/admission',
    });
    const { stdout } = await kube.kubectl(['events', '-n', namespace, '--for', 'replicaset/orders-7d9']);
    expect(stdout).toMatch(
      /Warning\s+AdmissionDenied\s+ReplicaSet\/orders-7d9\s+no signature of authority ci/,
    );
    expect(failures).toEqual([]);
  });

  test('what is repeated becomes a series of the same Event', async () => {
    const { events, failures } = record({ seriesMs: 0 });
    const request = ownedBy('again');
    events.record(request, decision([finding()]));
    await until('the event', async () => (await eventsOf('again')).length === 1);
    events.record(request, decision([finding()]));
    await until('the series', async () => (await eventsOf('again'))[0]?.series?.count === 2);
    events.record(request, decision([finding()]));
    await until('the series', async () => (await eventsOf('again'))[0]?.series?.count === 3);
    expect(await eventsOf('again')).toHaveLength(1);
    expect(failures).toEqual([]);
  });

  test('an Event that was deleted is made anew', async () => {
    const { events, failures } = record({ seriesMs: 0 });
    const request = ownedBy('gone');
    events.record(request, decision([finding()]));
    await until('the event', async () => (await eventsOf('gone')).length === 1);
    await kube.request('DELETE', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    events.record(request, decision([finding()]));
    await until('the event', async () => (await eventsOf('gone'))[0]?.series?.count === 2);
    expect(failures).toEqual([]);
  });

  test('whatever an author writes, the API server takes the Event', async () => {
    const { events, failures } = record();
    const hostile = `${'A/b '.repeat(50)}\u0000<ü>`;
    const message = `image ${'<\u001b"ä'.repeat(2_000)}`;
    events.record(ownedBy(hostile), decision([finding({ message }), finding({ message: 'another' })]));
    const [event] = await until('the event', async () => {
      const found = await eventsOf(hostile);
      return found.length > 0 && found;
    });
    expect(Buffer.byteLength(event?.note ?? '')).toBeGreaterThan(1_000);
    expect(failures).toEqual([]);
  });

  test('a pod of nobody that is let in is known by its uid before it exists', async () => {
    const seen: AdmissionRequest[] = [];
    await validatingWebhook(namespace, (request) => seen.push(request));
    const made = await pod('bare');
    const generated = await kube.create(`/api/v1/namespaces/${namespace}/pods`, {
      metadata: { generateName: 'bare-' },
      spec: podSpec,
    });
    const subjects = seen.map((request) => eventSubject(request, true));
    expect(subjects).toEqual(
      [made, generated].map(({ metadata: { name, uid } }) => ({
        ...{ apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      })),
    );
    const { events } = record();
    const [request = requestFor({})] = seen;
    events.record(request, decision([finding({ enforcement: 'warn' })]));
    await until('the event', async () => (await eventsOf('bare'))[0]?.reason === 'AdmissionWarned');
  });
});

/** Lets in everything that is made in a namespace, and tells of it. */
async function validatingWebhook(target: string, seen: (request: AdmissionRequest) => void): Promise<void> {
  let asked = false;
  const server = await startStandInWebhook(await makeTls(), (_, review) => {
    const { request } = review as { readonly request: Omit<AdmissionRequest, 'oldObject'> };
    asked = true;
    if (request.name !== probeName) seen({ ...request, oldObject: undefined });
    return allowing(request.uid);
  });
  const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  await kube.create(configurations, {
    metadata: { name: target },
    webhooks: [
      {
        name: 'seen.trellis.test',
        clientConfig: server.clientConfig('/'),
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': target } },
        ...{ sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Fail' },
      },
    ],
  });
  onEnd(() => kube.request('DELETE', `${configurations}/${target}`).then(() => {}));
  // API servers take a configuration over a moment after it is stored.
  await until('the webhook', async () => {
    const probe = { metadata: { name: probeName }, spec: podSpec };
    await kube.request('POST', `/api/v1/namespaces/${target}/pods?dryRun=All`, probe);
    return asked;
  });
}

const probeName = 'probe';

describe.each([
  ['openreports.io', 'openreports.yaml', openReports, 'reports', 'Report'],
  ['wgpolicyk8s.io', 'policyreports.yaml', policyReports, 'policyreports', 'PolicyReport'],
])('reports of %s', (_group, file, path, plural, kind) => {
  beforeAll(async () => {
    const applied = await kube.kubectl(['apply', '--server-side', '-f', join(crds, file)]);
    if (applied.status !== 0) throw new Error(applied.stderr);
    await until(plural, async () => (await kube.request('GET', `${path}/${plural}`)).status === 200);
    return async () => {
      await kube.kubectl(['delete', '--wait', '-f', join(crds, file)]);
    };
  });

  interface Report {
    readonly metadata: { readonly resourceVersion: string };
    readonly summary: Readonly<Record<string, number>>;
    readonly results: readonly object[];
  }

  const report = async (): Promise<Report | undefined> => {
    const { status, body } = await kube.request(
      'GET',
      `${path}/namespaces/${namespace}/${plural}/trellis-admission`,
    );
    return status === 200 ? (body as Report) : undefined;
  };

  interface Round {
    readonly judge: (request: AdmissionRequest) => AdmissionDecision;
    readonly exempt?: readonly string[];
  }

  /** Runs one round, and says what it said. */
  async function round({ judge, exempt = [] }: Round): Promise<readonly string[]> {
    const said: string[] = [];
    const ended = new AbortController();
    onEnd(() => ended.abort());
    const metrics = createMetrics('1');
    await runRecheck({
      ...{ client: client(), metrics, isLeader: () => true, intervalMs: 1, signal: ended.signal },
      ...{ context: nothing, judge: async (request) => judge(request) },
      exemptNamespaces: new Set(['kube-system', ...exempt]),
      // No registry is asked, and nobody else begins at the same time.
      limits: { imagesPerSecond: 100_000, startSpreadMs: 0 },
      report: {
        noReports: () => said.push('no reports'),
        failed: (where, error) => {
          said.push(`${where}: ${String(error)}`);
          if (where === undefined) ended.abort();
        },
        completed: () => ended.abort(),
      },
    });
    return said;
  }

  const good = () => decision([]);
  const bad = ({ name }: AdmissionRequest) => (name === 'b' ? decision([finding()]) : good());

  test('follow what runs, are written once, and are deleted at the end', async () => {
    await pod('a');
    const { metadata } = await pod('b');
    expect(await round({ judge: good })).toEqual([]);
    expect(await report()).toMatchObject({ kind, summary: { pass: 2, fail: 0 } });
    // A key was removed.
    expect(await round({ judge: bad })).toEqual([]);
    const failing = await report();
    expect(failing).toMatchObject({
      summary: { pass: 1, fail: 1, error: 0, warn: 0, skip: 0 },
      results: [
        {
          ...{ source: 'trellis', policy: 'trading/images', rule: 'image-not-verified', result: 'fail' },
          message: 'no signature of authority ci',
          resources: [{ apiVersion: 'v1', kind: 'Pod', namespace, name: 'b', uid: metadata.uid }],
        },
        { result: 'pass' },
      ],
    });
    // The API server has stored all of it as it was sent: the same is not written again.
    expect(await round({ judge: bad })).toEqual([]);
    expect((await report())?.metadata.resourceVersion).toBe(failing?.metadata.resourceVersion);
    const { stdout } = await kube.kubectl(['get', plural, '-n', namespace]);
    expect(stdout).toContain('trellis-admission');
    expect(await round({ judge: bad, exempt: [namespace] })).toEqual([]);
    expect(await report()).toBeUndefined();
  });

  test('of a namespace full of hostile text fit into what the API server stores', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, index) => pod(`p-${index}`)));
    const long = '<'.repeat(5_000);
    const judge = ({ name }: AdmissionRequest) =>
      decision([
        finding({ message: `${name} ${long}`, field: long }),
        finding({ message: `2 ${name} ${long}` }),
      ]);
    expect(await round({ judge })).toEqual([]);
    const { summary, results } = (await report()) ?? { summary: {}, results: [] };
    expect(summary).toMatchObject({ fail: 400 });
    expect(results.length).toBeGreaterThan(50);
  });

  test('that somebody has changed are put right', async () => {
    await pod('b');
    await round({ judge: bad });
    const place = `${path}/namespaces/${namespace}/${plural}/trellis-admission`;
    const patch = [{ op: 'replace', path: '/results', value: [] }];
    const options = { contentType: 'application/json-patch+json' };
    expect((await kube.request('PATCH', place, patch, options)).status).toBe(200);
    expect(await round({ judge: bad })).toEqual([]);
    expect((await report())?.results).toHaveLength(1);
  });

  /** As somebody may who has been given the right to write reports. */
  async function mark(metadata: object): Promise<void> {
    const place = `${path}/namespaces/${namespace}/${plural}/trellis-admission`;
    const options = { contentType: 'application/merge-patch+json' };
    expect((await kube.request('PATCH', place, { metadata }, options)).status).toBe(200);
  }
  const finalizers = ['example.com/stays'];

  test('lose the owners that others gave them, and would be collected with', async () => {
    const { metadata } = await pod('b');
    await round({ judge: bad });
    await mark({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'b', uid: metadata.uid }] });
    expect(await round({ judge: bad })).toEqual([]);
    expect((await report())?.metadata).not.toHaveProperty('ownerReferences');
  });

  test('that others keep from being deleted are made anew, and go with their namespace', async () => {
    await pod('b');
    await round({ judge: bad });
    await mark({ finalizers });
    await kube.kubectl(['delete', plural, '-n', namespace, 'trellis-admission', '--wait=false']);
    expect((await report())?.metadata).toHaveProperty('deletionTimestamp');
    expect(await round({ judge: bad })).toEqual([]);
    const again = await report();
    expect(again?.metadata).not.toHaveProperty('deletionTimestamp');
    expect(again?.results).toHaveLength(1);
    await mark({ finalizers });
    expect(await round({ judge: bad, exempt: [namespace] })).toEqual([]);
    expect(await report()).toBeUndefined();
  });
});

test('a cluster without kinds for reports is judged all the same', async () => {
  await pod('a');
  const ended = new AbortController();
  const said: string[] = [];
  await runRecheck({
    ...{ client: client(), metrics: createMetrics('1'), isLeader: () => true, intervalMs: 1 },
    ...{ context: nothing, judge: async () => decision([finding()]) },
    ...{ exemptNamespaces: new Set<string>(), signal: ended.signal },
    limits: { imagesPerSecond: 100_000, startSpreadMs: 0 },
    report: {
      noReports: () => said.push('no reports'),
      failed: (where, error) => said.push(`${where}: ${String(error)}`),
      completed: ({ fail }) => {
        said.push(`failing: ${fail > 0}`);
        ended.abort();
      },
    },
  });
  expect(said).toEqual(['no reports', 'failing: true']);
});
