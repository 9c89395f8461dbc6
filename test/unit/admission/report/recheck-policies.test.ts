// The re-check with the decision that admission makes, over real keys: what changes after a pod was let in shows up in the report.

import { beforeEach, expect, test } from 'vitest';
import type { AdmissionContext } from '../../../../src/admission/context.ts';
import { runRecheck } from '../../../../src/admission/report/recheck.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { digest, now } from '../../signing/verify/support.ts';
import { contextOf, judgeOver, pod } from '../decide/support.ts';
import { authority, hybrid, keyset, otherHybrid, policyOf, rule, signedRegistry } from '../images/support.ts';
import { FakeCluster } from './report-store.ts';
import { createMetrics } from './support.ts';

const registry = signedRegistry();
let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster();
  const metadata = { namespace: 'trading', name: 'app', uid: 'uid-of-app' };
  cluster.namespaces.set('trading', [{ ...pod(), metadata, status: { phase: 'Running' } }]);
});

/** The report after one round under these policies. */
async function reportUnder(
  policies: readonly Policy[],
  at = now,
  judge: AdmissionContext['judge'] = judgeOver(registry, at),
): Promise<object | undefined> {
  const ended = new AbortController();
  onEnd(() => ended.abort());
  await runRecheck({
    ...{ client: cluster, metrics: createMetrics('1'), isLeader: () => true, intervalMs: 1 },
    context: () => contextOf(registry, policies, { judge }),
    ...{
      exemptNamespaces: new Set<string>(),
      signal: ended.signal,
      limits: { startSpreadMs: 0, parallelPods: 1 },
    },
    report: { noReports: () => {}, failed: () => ended.abort(), completed: () => ended.abort() },
  });
  return cluster.report('trading');
}

const trusting = (...keysets: ReturnType<typeof keyset>[]) =>
  policyOf({ images: [rule({ authorities: [authority({ keysets })] })] });
const next = keyset('next', otherHybrid);
const passing = { summary: { pass: 1, fail: 0, error: 0 } };

test('a key that was removed from a policy, and put back', async () => {
  const before = trusting(keyset('ci-2026', hybrid), next);
  expect(await reportUnder([before])).toMatchObject(passing);
  expect(await reportUnder([trusting(next)])).toMatchObject({
    summary: { pass: 0, fail: 1 },
    results: [{ policy: 'trading/images', rule: 'image-not-verified', properties: { digest } }],
  });
  expect(await reportUnder([before])).toMatchObject(passing);
});

test('an image that does not pass is looked at once, however many pods have it', async () => {
  const [running] = cluster.namespaces.get('trading') ?? [];
  const others = ['second', 'third'].map((name) => ({
    ...running,
    metadata: { namespace: 'trading', name, uid: `uid-of-${name}` },
  }));
  cluster.namespaces.set('trading', [running as object, ...others]);
  const judge = judgeOver(registry, now);
  let looks = 0;
  const counting: typeof judge = {
    ...judge,
    judge: (question) => {
      looks += 1;
      return judge.judge(question);
    },
  };
  expect(await reportUnder([trusting(next)], now, counting)).toMatchObject({ summary: { pass: 0, fail: 3 } });
  expect(looks).toBe(1);
});

test('the end of a key', async () => {
  const policy = trusting(
    keyset('ci-2026', hybrid, { notAfter: new Date(now.getTime() + 1_000).toISOString() }),
  );
  expect(await reportUnder([policy])).toMatchObject(passing);
  const later = new Date(now.getTime() + 2_000);
  expect(await reportUnder([policy], later)).toMatchObject({ summary: { pass: 0, fail: 1 } });
});

test('an image that was revoked, by a policy that only wants that', async () => {
  const revoking = policyOf({ revoked: { digests: [digest] } }, 'revoked', 'trellis-system');
  expect(await reportUnder([trusting(keyset('ci-2026', hybrid)), revoking])).toMatchObject({
    results: [{ rule: 'image-revoked', severity: 'critical', result: 'fail' }],
  });
});

test('a pod that was let in before the mesh was asked for', async () => {
  const meshed = policyOf({ postQuantumEncryption: 'required' }, 'mesh');
  expect(await reportUnder([meshed])).toMatchObject({
    results: [{ policy: 'trading/mesh', rule: 'sidecar-missing', result: 'fail' }],
  });
});

test('of many pods with an image that nothing can be found out about, one has a registry asked', async () => {
  const pods = ['a', 'b', 'c'].map((name) => {
    const metadata = { namespace: 'trading', name, uid: `uid-of-${name}` };
    return { ...pod(), metadata, status: { phase: 'Running' } };
  });
  cluster.namespaces.set('trading', pods);
  registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
  onEnd(() => {
    registry.listError = undefined;
  });
  const before = registry.asked.length;
  const report = await reportUnder([trusting(keyset('ci-2026', hybrid))]);
  expect(report).toMatchObject({ summary: { error: 3 } });
  expect(report).toMatchObject({ results: Array.from(pods, () => ({ rule: 'image-unknown' })) });
  expect(registry.asked.slice(before).length).toBe(1);
});

test('the last policy goes, and the report with it', async () => {
  expect(await reportUnder([trusting(next)])).toBeDefined();
  expect(await reportUnder([])).toBeUndefined();
});
