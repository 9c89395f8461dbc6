// The whole, as far as it needs no cluster: that what was started ends when the rest cannot be. test/admission has the rest.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startAdmissionController } from '../../../../src/admission/controller/controller.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { createLogger } from '../../../../src/telemetry/logger.ts';
import { createReadiness } from '../../../../src/telemetry/readiness.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { FakeKube } from '../../../support/fake-kube.ts';
import { makeTls } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';
import { meshOptions } from '../../model/support.ts';
import { createMetrics, valuesOf } from '../report/support.ts';

const tls = await makeTls();
const lease = '/apis/coordination.k8s.io/v1/namespaces/trellis-system/leases';

/** Whoever watches hears nothing. */
class QuietKube extends FakeKube {
  override stream(): Promise<never> {
    return new Promise(() => {});
  }
}

/** An API server with one Lease, as the chart ships it, and without policies, which it tells as soon as somebody holds the Lease. */
function kubeWithLease() {
  let version = 1;
  let held: object = { metadata: { name: 'trellis-webhook', resourceVersion: '1' }, spec: {} };
  const holder = () => (held as { spec: { holderIdentity?: string } }).spec.holderIdentity ?? '';
  const kube = new QuietKube(async ({ path, method = 'GET', body }) => {
    if (path.includes('quantumsecuritypolicies')) {
      await until('the Lease', () => holder() !== '');
      return { kind: 'QuantumSecurityPolicyList', metadata: { resourceVersion: '1' }, items: [] };
    }
    if (!path.startsWith(lease)) {
      throw new KubernetesError('ERR_KUBE_NOT_FOUND', `${method} ${path}: status 404`);
    }
    if (method !== 'GET') {
      version += 1;
      const { metadata, ...rest } = body as { metadata: object };
      held = { ...rest, metadata: { ...metadata, resourceVersion: String(version) } };
    }
    return structuredClone(held);
  });
  return { kube, holder };
}

type Options = Parameters<typeof startAdmissionController>[0];

function optionsWith(changes: Partial<Options> & Pick<Options, 'client' | 'signal'>): Options {
  return {
    mesh: meshOptions,
    namespace: 'trellis-system',
    podName: 'webhook-0',
    listen: { host: '127.0.0.1', port: 0 },
    service: 'trellis-webhook',
    certificate: { mode: 'files', certificate: tls.certFile, key: tls.keyFile },
    clientCa: undefined,
    lease: 'trellis-webhook',
    registry: {},
    credentials: undefined,
    env: {},
    cacheBytes: 1_000_000,
    sidecar: undefined,
    recheckIntervalMs: 3_600_000,
    exemptNamespaces: new Set(),
    log: createLogger({ level: 'silent' }),
    metrics: createMetrics('test'),
    readiness: createReadiness(['policies', 'certificate']),
    now: () => new Date(),
    ...changes,
  };
}

test('what cannot serve gives its Lease back: the others need not wait for it to run out', async () => {
  const { kube, holder } = kubeWithLease();
  const { signal } = new AbortController();
  const taken = createServer().listen(0, '127.0.0.1');
  onEnd(() => taken.close());
  await once(taken, 'listening');
  const listen = { host: '127.0.0.1', port: (taken.address() as AddressInfo).port };
  const failing = startAdmissionController(optionsWith({ client: kube, signal, listen }));
  await expect(failing).rejects.toMatchObject({ code: 'ERR_WEBHOOK_ADDRESS_IN_USE' });
  const writes = kube.requests.filter(({ method }) => method === 'PUT');
  expect(writes.length).toBeGreaterThan(1);
  expect(holder()).toBe('');
});

test('what serves is ready, and gives its Lease back when it ends', async () => {
  const { kube, holder } = kubeWithLease();
  const ending = new AbortController();
  const readiness = createReadiness(['policies', 'certificate']);
  const metrics = createMetrics('test');
  metrics.imageCacheEntries.set({}, 7);
  const controller = await startAdmissionController(
    optionsWith({ client: kube, signal: ending.signal, readiness, metrics }),
  );
  await controller.ready;
  await until('readiness', () => readiness.conditions().every(({ ready }) => ready));
  expect(controller.address).toMatch(/^127\.0\.0\.1:\d+$/);
  controller.refreshMetrics();
  expect(await valuesOf(metrics, 'trellis_image_cache_entries')).toEqual({});
  expect(holder()).toMatch(/^webhook-0_/);
  ending.abort();
  await controller.close(1_000);
  expect(holder()).toBe('');
});

test('what is told to stop before it has a certificate stops', async () => {
  const { kube, holder } = kubeWithLease();
  const ending = new AbortController();
  const certificate = { mode: 'managed', secret: 'certificate', configuration: 'trellis-webhook' } as const;
  const starting = startAdmissionController(
    optionsWith({ client: kube, signal: ending.signal, certificate }),
  );
  starting.catch(() => {});
  await until('the Secret to be asked for', () =>
    kube.requests.some(({ path }) => path.includes('/secrets/')),
  );
  ending.abort(new Error('told to stop'));
  await expect(starting).rejects.toThrow('told to stop');
  expect(holder()).toBe('');
});

test('options that cannot be meant are refused before the Lease is touched', async () => {
  const { kube } = kubeWithLease();
  const { signal } = new AbortController();
  const registry = { allowedAddresses: ['nowhere'] };
  const starting = startAdmissionController(optionsWith({ client: kube, signal, registry }));
  await expect(starting).rejects.toThrow('nowhere');
  expect(kube.requests).toEqual([]);
});

test('a Lease that cannot be read is said in one line; a certificate of another name is no error', async () => {
  const kube = new QuietKube(() => {
    throw new KubernetesError('ERR_KUBE_UNREACHABLE', 'the API server is away');
  });
  const ending = new AbortController();
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format: 'json', write: (line) => void lines.push(line) });
  const controller = await startAdmissionController(
    optionsWith({ client: kube, signal: ending.signal, log }),
  );
  const isReady = vi.fn();
  void controller.ready.then(isReady);
  const [said] = await until('the line', () => {
    const found = lines.filter((line) => line.includes('the Lease cannot be'));
    return found.length > 0 && found;
  });
  expect(said).toMatch(/it is tried again: the API server is away/);
  expect(said).not.toContain('stack');
  const certificate = lines.find((line) => line.includes('the serving certificate'));
  expect(JSON.parse(certificate ?? '{}')).toMatchObject({
    // Of warnings.
    level: 40,
    msg: expect.stringMatching(/and not for trellis-webhook\.trellis-system\.svc/),
  });
  ending.abort();
  await controller.close(1_000);
  expect(isReady).not.toHaveBeenCalled();
});
