import { beforeEach, expect, test } from 'vitest';
import { ReportCollector, type ReportContent } from '../../../../src/admission/report/policy-report.ts';
import { discoverReportKinds } from '../../../../src/admission/report/report-kinds.ts';
import { resultsOf } from '../../../../src/admission/report/report-results.ts';
import { writeReport } from '../../../../src/admission/report/report-writer.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { FakeCluster } from './report-store.ts';
import { decision, finding } from './support.ts';

const { signal } = new AbortController();
const place = '/apis/openreports.io/v1alpha1/namespaces/trading/reports';
const old = '/apis/wgpolicyk8s.io/v1alpha2/namespaces/trading/policyreports';

let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster();
});

function content(message = 'no signature'): ReportContent | undefined {
  const collector = new ReportCollector();
  const pod = { namespace: 'trading', name: 'orders-0', uid: 'u' };
  collector.add(pod, resultsOf(pod, decision([finding({ message })])));
  return collector.content();
}

async function write(wanted: ReportContent | undefined, mayWrite = () => {}): Promise<string> {
  const kinds = await discoverReportKinds(cluster, signal);
  return await writeReport('trading', wanted, { client: cluster, kinds, signal, mayWrite });
}

test('a report is made, left alone while it says the same, changed and deleted', async () => {
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')).toMatchObject({
    apiVersion: 'openreports.io/v1alpha1',
    kind: 'Report',
    source: 'trellis',
    metadata: {
      name: 'trellis-admission',
      namespace: 'trading',
      labels: { 'app.kubernetes.io/managed-by': 'trellis' },
    },
    summary: { fail: 1 },
    results: [{ message: 'no signature' }],
  });
  expect(await write(content())).toBe('unchanged');
  expect(await write(content('revoked'))).toBe('written');
  expect(await write(undefined)).toBe('deleted');
  expect(await write(undefined)).toBe('unchanged');
  const report = `${place}/trellis-admission`;
  expect(cluster.writes()).toEqual([`POST ${place}`, `PUT ${report}`, `DELETE ${report}`]);
});

test('a cluster with the older kind gets that one, which has no source of its own', async () => {
  cluster.groups.clear();
  cluster.groups.add('wgpolicyk8s.io/v1alpha2');
  expect(await write(content())).toBe('written');
  const report = cluster.report('trading', 'wgpolicyk8s.io/v1alpha2');
  expect(report).toMatchObject({ apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport' });
  expect(report).not.toHaveProperty('source');
});

test('when the newer kind comes, the report moves', async () => {
  cluster.groups.clear();
  cluster.groups.add('wgpolicyk8s.io/v1alpha2');
  await write(content());
  cluster.groups.add('openreports.io/v1alpha1');
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')).toBeDefined();
  expect(cluster.report('trading', 'wgpolicyk8s.io/v1alpha2')).toBeUndefined();
  expect(cluster.writes()).toEqual([`POST ${old}`, `DELETE ${old}/trellis-admission`, `POST ${place}`]);
});

test('a cluster without either gets none', async () => {
  cluster.groups.clear();
  expect(await write(content())).toBe('unchanged');
  expect(cluster.writes()).toEqual([]);
});

test('not to learn what there is, is an error and not "nothing"', async () => {
  cluster.before = () => {
    throw new KubernetesError('ERR_KUBE_OVERLOADED', 'later');
  };
  await expect(write(content())).rejects.toMatchObject({ code: 'ERR_KUBE_OVERLOADED' });
});

test('whoever takes our name does not keep our report out; what is not ours is not deleted', async () => {
  const squatter = { metadata: { labels: { team: 'a' }, resourceVersion: '0' }, results: [] };
  cluster.reports.set(`${place}/trellis-admission`, squatter);
  expect(await write(undefined)).toBe('unchanged');
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')).toMatchObject({
    metadata: { labels: { 'app.kubernetes.io/managed-by': 'trellis' } },
    results: [{ message: 'no signature' }],
  });
});

/** As somebody who may write reports. */
function put(metadata: Readonly<Record<string, unknown>>): void {
  const report = cluster.report('trading');
  if (report === undefined) throw new Error('no report');
  cluster.reports.set(`${place}/trellis-admission`, {
    ...report,
    metadata: { ...report.metadata, ...metadata },
  });
}

test.each<readonly [string, Readonly<Record<string, unknown>>]>([
  [
    'owners, by which it would be collected',
    { ownerReferences: [{ kind: 'ConfigMap', name: 'gone', uid: 'x' }] },
  ],
  ['finalizers', { finalizers: ['example.org/never'] }],
  ['labels', { labels: { 'app.kubernetes.io/managed-by': 'trellis', 'cleanup.example.org/ttl': '1s' } }],
  ['annotations', { annotations: { 'cleanup.example.org/ttl': '1s' } }],
])('%s that others put on our report go, also while it says the same', async (_what, metadata) => {
  await write(content());
  put(metadata);
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')?.metadata).toEqual({
    ...{ name: 'trellis-admission', namespace: 'trading', uid: 'uid', resourceVersion: expect.any(String) },
    labels: { 'app.kubernetes.io/managed-by': 'trellis' },
  });
  expect(await write(content())).toBe('unchanged');
});

test('a report that somebody has deleted and holds by a finalizer is made anew', async () => {
  await write(content());
  put({ finalizers: ['example.org/never'], deletionTimestamp: '2026-11-21T12:00:00Z' });
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')?.metadata).not.toHaveProperty('deletionTimestamp');
  expect(cluster.report('trading')).toMatchObject({ results: [{ message: 'no signature' }] });
});

test.each([undefined, '2026-11-21T12:00:00Z'])(
  'a report that is to go goes, whatever holds it (being deleted since: %s)',
  async (deletionTimestamp) => {
    await write(content());
    put({ finalizers: ['example.org/never'], ...(deletionTimestamp && { deletionTimestamp }) });
    expect(await write(undefined)).toBe('deleted');
    expect(cluster.report('trading')).toBeUndefined();
  },
);

test('what somebody has made of our report is put right', async () => {
  await write(content());
  const report = cluster.report('trading');
  cluster.reports.set(`${place}/trellis-admission`, { ...report, results: [] } as never);
  expect(await write(content())).toBe('written');
  expect(cluster.report('trading')).toMatchObject({ results: [{ message: 'no signature' }] });
});

test('a label that somebody took off is put back: without it the report would not be found, nor deleted', async () => {
  await write(content());
  const report = cluster.report('trading');
  if (report === undefined) throw new Error('no report');
  const metadata = { ...report.metadata, labels: {} };
  cluster.reports.set(`${place}/trellis-admission`, { ...report, metadata });
  expect(await write(content())).toBe('written');
  expect(await write(undefined)).toBe('deleted');
});

test.each([
  ['changed', () => content('revoked')],
  ['deleted', () => undefined],
])('a report that is %s meanwhile is not overwritten', async (_what, wanted) => {
  await write(content());
  cluster.before = ({ method }) => {
    if (method !== 'PUT' && method !== 'DELETE') return;
    const report = cluster.report('trading');
    if (report === undefined) throw new Error('no report');
    cluster.reports.set(`${place}/trellis-admission`, {
      ...report,
      metadata: { ...report.metadata, resourceVersion: 'later' },
    });
  };
  await expect(write(wanted())).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
});

test('before every write it is asked whether that is still ours to do', async () => {
  const refuse = () => {
    throw new Error('another leads');
  };
  await expect(write(content(), refuse)).rejects.toThrow('another leads');
  await write(content());
  await expect(write(content('revoked'), refuse)).rejects.toThrow('another leads');
  await expect(write(undefined, refuse)).rejects.toThrow('another leads');
  expect(cluster.writes()).toEqual([`POST ${place}`]);
});
