// What the webhook is put together of, as far as a running one does not show it.

import { lookup } from 'node:dns/promises';
import { expect, test, vi } from 'vitest';
import { startAdmissionController } from '../../../../src/admission/controller/controller.ts';
import { startWebhook } from '../../../../src/cli/admission/start-webhook.ts';
import { createLogger } from '../../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { createReadiness } from '../../../../src/telemetry/readiness.ts';
import { makeTls } from '../../../support/registry/tls.ts';
import { workspace } from './support.ts';

vi.mock('node:dns/promises', { spy: true });
vi.mock('../../../../src/admission/controller/controller.ts', () => ({
  startAdmissionController: vi.fn(async () => ({
    address: '',
    refreshMetrics: () => {},
    close: async () => {},
  })),
}));

test('names of other people’s choosing take no thread of the process', async () => {
  const tls = await makeTls();
  const files = await workspace();
  const kubeconfig = await files.write('kubeconfig', {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'a', cluster: { server: 'https://127.0.0.1:1', 'certificate-authority': tls.caFile } },
    ],
    users: [{ name: 'a', user: {} }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    'current-context': 'a',
  });
  const anyPort = { host: '127.0.0.1', port: 0 };
  const webhook = await startWebhook(
    {
      ...{ kubeconfig, namespace: 'trellis-system', podName: 'webhook', rootNamespace: 'trellis-system' },
      ...{ listen: anyPort, metrics: anyPort, service: 'a', lease: 'a' },
      ...{ certificate: 'managed', certificateSecret: 'a', webhookConfiguration: 'a' },
      ...{ cacheBytes: 1, recheckInterval: 1 },
    },
    {
      sidecar: undefined,
      log: createLogger({ level: 'silent' }),
      metrics: createMetrics('1'),
      readiness: createReadiness(['policies', 'certificate']),
      signal: new AbortController().signal,
    },
  );
  await webhook?.close(0);
  const [given] = vi.mocked(startAdmissionController).mock.calls[0] ?? [];
  expect(await given?.registry.resolve?.('192.0.2.1', {}, undefined)).toEqual([
    { address: '192.0.2.1', family: 4 },
  ]);
  expect(lookup).not.toHaveBeenCalled();
});
