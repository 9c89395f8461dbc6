import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { envoyBootstrap } from '../../../src/agent/bootstrap.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';
import { startEnvoy, validateEnvoy } from '../../support/envoy.ts';
import { until } from '../../support/until.ts';

const options = {
  socket: '/run/trellis/agent.sock',
  nodeId: 'shop/cart',
  admin: { kind: 'pipe', path: '/run/trellis/admin.sock' },
} as const;

test('Envoy accepts it', async () => {
  expect(await validateEnvoy(envoyBootstrap(options))).toMatchObject({ ok: true });
  const tcp = { ...options, admin: { kind: 'tcp', host: '127.0.0.1', port: 9901 } } as const;
  expect(await validateEnvoy(envoyBootstrap(tcp))).toMatchObject({ ok: true });
});

test('all configuration comes over the one socket', () => {
  const text = JSON.stringify(envoyBootstrap(options));
  const { dynamic_resources, static_resources } = JSON.parse(text);
  expect(static_resources.clusters.map((cluster: { name: string }) => cluster.name)).toEqual([
    'trellis-config',
    'trellis-authz',
  ]);
  expect(static_resources.listeners).toBeUndefined();
  expect(text.match(/"pipe":\{"path":"\/run\/trellis\/agent.sock"/g)).toHaveLength(2);
  expect(Object.keys(dynamic_resources).sort()).toEqual(['ads_config', 'cds_config', 'lds_config']);
  // Nothing in it is secret, and nothing says who the proxy is: the socket does.
  expect(text).not.toMatch(/private_key|inline_|certificate|spiffe/);
});

describe('the admin interface on a Unix socket', () => {
  test('can be opened by its owner alone', async () => {
    const directory = await temporaryDirectory();
    const admin = { kind: 'pipe', path: join(directory, 'admin.sock') } as const;
    const bootstrap = envoyBootstrap({ ...options, socket: join(directory, 'agent.sock'), admin });
    await startEnvoy({ name: 'cart', bootstrap });
    // Envoy binds first and restricts then: for a moment its umask decides.
    const mode = await until('the socket to be private', async () => {
      const { mode: found } = await stat(admin.path);
      return (found & 0o777) === 0o600 ? found : undefined;
    });
    expect(mode & 0o777).toBe(0o600);
  });
});
