// Readiness, metrics and log of a control plane whose manifests are good, broken, or away.

import { mkdir, rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { watchMesh } from '../../../src/control-plane/mesh-source.ts';
import { createKubeClient } from '../../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits } from '../../../src/sources/kubernetes/limits.ts';
import { resourceTypes } from '../../../src/sources/kubernetes/reflect/resource-type.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createReadiness } from '../../../src/telemetry/readiness.ts';
import { onEnd } from '../../support/cleanup.ts';
import { TestControlPlane, testLog } from '../../support/control-plane.ts';
import { policy, rootNamespace, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { until } from '../../support/until.ts';
import { type Asked, list, refusal, startFakeApi, watch } from '../sources/kubernetes/support.ts';

const good = workloadManifests({
  name: 'client',
  address: '10.0.0.1',
  ports: [{ port: 80, targetPort: 8080, appProtocol: 'http' }],
});
const broken = 'apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n';

const condition = (controlPlane: TestControlPlane, name: string) =>
  controlPlane.readiness.conditions().find((each) => each.name === name);
const objects = (controlPlane: TestControlPlane, kind: string) =>
  controlPlane.metric('trellis_source_objects', { kind });
const updates = (controlPlane: TestControlPlane, result: string) =>
  controlPlane.metric('trellis_source_updates_total', { result });

test('good manifests make it ready, and are counted', async () => {
  const controlPlane = await TestControlPlane.start({
    manifests: { 'client.yaml': good, 'policy.yaml': [policy('p', { postQuantumEncryption: 'required' })] },
  });
  expect(controlPlane.readiness.conditions()).toEqual([
    { name: 'ca', ready: true },
    { name: 'state', ready: true },
  ]);
  for (const [kind, count] of [
    ['workload', 1],
    ['service', 1],
    ['policy', 1],
    ['quantum_service', 0],
  ] as const)
    expect(await objects(controlPlane, kind)).toBe(count);
  expect(await updates(controlPlane, 'applied')).toBe(1);
});

describe('manifests that are broken from the start', () => {
  test('leave it running and not ready, with the reason in the log, until they are in order', async () => {
    const controlPlane = await TestControlPlane.start({ manifests: { 'client.yaml': broken } });
    expect(condition(controlPlane, 'ca')).toEqual({ name: 'ca', ready: true });
    expect(condition(controlPlane, 'state')).toMatchObject({
      ready: false,
      reason: expect.stringContaining('log'),
    });
    const problem = controlPlane.log.lines().find(({ level }) => level === 50);
    expect(problem?.msg).toMatch(/client\.yaml:3/);
    expect(await updates(controlPlane, 'rejected')).toBe(1);
    await controlPlane.write('client.yaml', good);
    await until('it to be ready', () => condition(controlPlane, 'state')?.ready);
    expect(controlPlane.log.lines()).toContainEqual(
      expect.objectContaining({ msg: 'the manifests are in order again' }),
    );
  });

  test('so does a directory that is not there', async () => {
    const controlPlane = await TestControlPlane.start();
    await controlPlane.stop();
    await rm(controlPlane.manifestsDirectory, { recursive: true });
    controlPlane.readiness.notReady('state', 'stopped');
    await controlPlane.start();
    expect(condition(controlPlane, 'state')?.ready).toBe(false);
    expect(controlPlane.log.lines().findLast(({ level }) => level === 50)?.msg).toContain(
      controlPlane.manifestsDirectory,
    );
    await mkdir(controlPlane.manifestsDirectory);
    await controlPlane.write('client.yaml', good);
    await until('it to be ready', () => condition(controlPlane, 'state')?.ready);
  });
});

test('a mistake later keeps the last good state and leaves it ready', async () => {
  const controlPlane = await TestControlPlane.start({ manifests: { 'client.yaml': good } });
  await controlPlane.write('policy.yaml', [policy('typo', { postQuantumEncryptoin: 'required' } as never)]);
  await until('the mistake to be seen', async () => (await updates(controlPlane, 'rejected')) > 0);
  expect(controlPlane.log.lines().findLast(({ level }) => level === 50)?.msg).toMatch(
    /policy\.yaml:.*postQuantumEncryptoin/s,
  );
  expect(condition(controlPlane, 'state')).toEqual({ name: 'state', ready: true });
  expect(await objects(controlPlane, 'workload')).toBe(1);
  expect(await objects(controlPlane, 'policy')).toBe(0);
  expect(await updates(controlPlane, 'applied')).toBe(1);
  await controlPlane.remove('policy.yaml');
});

test('kinds that are not read are named once', async () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'shop' },
  };
  const controlPlane = await TestControlPlane.start({
    manifests: { 'all.yaml': [deployment, ...good, deployment] },
  });
  const named = controlPlane.log.lines().filter(({ msg }) => msg === 'manifests of this kind are not read');
  expect(named.map(({ kind }) => kind)).toEqual([expect.stringContaining('Deployment')]);
});

describe('from an API server', () => {
  test('that cannot be read it is not ready, says what and why, and is once it can be', async () => {
    const api = await startFakeApi();
    let isForbidden = true;
    const answer = (response: Parameters<ReturnType<typeof refusal>>[0], asked: Asked): void => {
      const kind = resourceTypes.find(({ path }) => path === asked.path)?.kind ?? '';
      if (asked.query['watch'] !== undefined) watch()(response, asked);
      else if (isForbidden && kind === 'Pod') refusal(403)(response, asked);
      else list('1', [], undefined, `${kind}List`)(response, asked);
    };
    api.script(...Array.from({ length: 200 }, () => answer));
    const client = createKubeClient(api.access, defaultLimits);
    const stop = new AbortController();
    onEnd(() => client.close());
    onEnd(() => stop.abort());
    const readiness = createReadiness(['ca', 'state']);
    const { logger, lines } = testLog();
    const source = await watchMesh({
      ...{ desired: { from: 'kubernetes', client }, trustDomain, rootNamespace },
      ...{ log: logger, metrics: createMetrics('test'), readiness, signal: stop.signal },
    });
    expect(readiness.conditions()).toContainEqual({
      ...{ name: 'state', ready: false },
      reason: expect.stringContaining('API server'),
    });
    expect(lines()).toContainEqual(
      expect.objectContaining({ level: 40, kind: 'Pod', code: 'ERR_KUBE_FORBIDDEN' }),
    );
    isForbidden = false;
    await until('a state', () => source.current());
    expect(readiness.conditions()).toContainEqual({ name: 'state', ready: true });
    await until('recovery', () => lines().some(({ msg }) => msg === 'the API server can be read again'));
  });
});
