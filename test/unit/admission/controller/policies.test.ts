// The policies of the moment, over an API server in memory.

import { expect, test } from 'vitest';
import { watchPolicies } from '../../../../src/admission/controller/policies.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { createLogger } from '../../../../src/telemetry/logger.ts';
import { createReadiness } from '../../../../src/telemetry/readiness.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { WatchedKube } from '../../../support/fake-kube.ts';
import { until } from '../../../support/until.ts';
import { meshOptions } from '../../model/support.ts';
import { createMetrics, valuesOf } from '../report/support.ts';

function policy(name: string, version: string, spec: object = {}): object {
  const metadata = {
    name,
    namespace: 'trading',
    uid: name,
    resourceVersion: version,
    generation: Number(version),
  };
  return { apiVersion: 'security.quantum.io/v1', kind: 'QuantumSecurityPolicy', metadata, spec };
}

/** @param list undefined: it cannot be reached */
async function watching(list: readonly object[] | undefined) {
  let items = list;
  const client = new WatchedKube(() => {
    if (items === undefined) throw new KubernetesError('ERR_KUBE_UNREACHABLE', 'away');
    return { kind: 'QuantumSecurityPolicyList', metadata: { resourceVersion: '1' }, items };
  });
  const controller = new AbortController();
  onEnd(() => controller.abort());
  const metrics = createMetrics('test');
  const readiness = createReadiness(['policies', 'certificate']);
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format: 'json', write: (line) => void lines.push(line) });
  const { current: policies, verdicts } = await watchPolicies({
    ...{ client, mesh: meshOptions, log, metrics, readiness, signal: controller.signal },
  });
  return {
    ...{ policies, verdicts, metrics, lines, asked: client.requests },
    isReady: () => readiness.conditions().find(({ name }) => name === 'policies')?.ready,
    names: () => policies().map(({ name }) => name),
    come: (now: readonly object[]) => {
      items = now;
    },
    event: async (type: string, object: object) => {
      const [say] = await until('the watch', () => client.watches.size > 0 && [...client.watches.values()]);
      say?.(`${JSON.stringify({ type, object })}\n`);
    },
  };
}

test('those that there are, and no other object is read', async () => {
  const { names, isReady, metrics, asked } = await watching([policy('a', '1')]);
  expect([names(), isReady()]).toEqual([['a'], true]);
  expect(await valuesOf(metrics, 'trellis_source_updates_total')).toEqual({ '{result="applied"}': 1 });
  expect(asked.every(({ path }) => path.includes('/quantumsecuritypolicies'))).toBe(true);
});

test('the same list until one of them changes: what is compiled for it stays good', async () => {
  const { policies, names, event, isReady } = await watching([policy('a', '1')]);
  const first = policies();
  expect(policies()).toBe(first);
  await event('ADDED', policy('b', '2'));
  await until('the new policy', () => names().includes('b'));
  await event('DELETED', policy('a', '3'));
  await until('the end of the old one', () => !names().includes('a'));
  await event('DELETED', policy('b', '4'));
  await until('the end of the last', () => names().length === 0);
  expect(isReady()).toBe(true);
});

test('while they are not known nothing can be asked of them', async () => {
  const { policies, isReady, come, names } = await watching(undefined);
  expect(isReady()).toBe(false);
  expect(policies).toThrow(expect.objectContaining({ code: 'ERR_POLICIES_UNKNOWN' }));
  come([policy('a', '1')]);
  await until('the policies', () => isReady());
  expect(names()).toEqual(['a']);
});

test('one that cannot be read is said, and those that are known stay in force', async () => {
  const { names, event, lines, metrics } = await watching([policy('a', '1')]);
  await event('MODIFIED', policy('a', '2', { enforcement: 'maybe' }));
  await until('the complaint', () =>
    lines.some((line) => line.includes('trading/a') && line.includes('maybe')),
  );
  expect(names()).toEqual(['a']);
  expect(await valuesOf(metrics, 'trellis_source_updates_total')).toMatchObject({ '{result="rejected"}': 1 });
});

test('what became of each is known, for its author', async () => {
  const { event, verdicts } = await watching([policy('a', '1'), policy('b', '1')]);
  expect(verdicts()).toMatchObject([
    { namespace: 'trading', name: 'a', resourceVersion: '1', generation: 1, inForce: true, problems: [] },
    { name: 'b', inForce: true },
  ]);
  await event('MODIFIED', policy('a', '2', { enforcement: 'maybe' }));
  const found = await until('the verdict', () => verdicts()?.find(({ inForce }) => !inForce));
  expect(found).toMatchObject({ name: 'a', resourceVersion: '2', generation: 2 });
  expect(found?.problems).toMatchObject([{ message: expect.stringMatching(/maybe.*its last good version/) }]);
  expect(verdicts()?.filter(({ inForce }) => inForce)).toMatchObject([{ name: 'b', problems: [] }]);
});
