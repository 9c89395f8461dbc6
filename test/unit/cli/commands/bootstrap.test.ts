import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { validateEnvoy } from '../../../support/envoy.ts';
import { expectFailure, trellis } from './support.ts';

const bootstrap = (...argv: readonly string[]) => trellis('bootstrap', ...argv);
const socket = ['--socket', 'agent.sock'];
const node = ['--node-id', 'shop/cart'];

test.each([
  ['a Unix socket', ['--admin-socket', 'admin.sock'], { pipe: { path: resolve('admin.sock'), mode: 0o600 } }],
  [
    'a TCP port',
    ['--admin', '127.0.0.1:9901'],
    { socket_address: { address: '127.0.0.1', port_value: 9901 } },
  ],
  ['an IPv6 port', ['--admin', '[::1]:9901'], { socket_address: { address: '::1', port_value: 9901 } }],
])('prints one JSON document that Envoy takes, with its admin interface on %s', async (_, admin, address) => {
  const { exitCode, stdout, stderr } = await bootstrap(...socket, ...node, ...admin);
  expect([exitCode, stderr]).toEqual([0, '']);
  const document = JSON.parse(stdout);
  expect(document.admin).toEqual({ address });
  expect(document.node.id).toBe('shop/cart');
  // Paths are absolute: Envoy is started elsewhere.
  expect(stdout).toContain(JSON.stringify(resolve('agent.sock')));
  expect(await validateEnvoy(document)).toMatchObject({ ok: true });
});

describe('is refused', () => {
  test.each<[string, readonly string[], RegExp[]]>([
    ['without a socket', [...node, '--admin-socket', 'a'], [/required option '--socket <path>'/]],
    ['without a name', [...socket, '--admin-socket', 'a'], [/required option '--node-id <namespace\/pod>'/]],
    [
      'without an admin interface',
      [...socket, ...node],
      [/say where Envoy's admin interface listens/, /add --admin-socket PATH or --admin HOST:PORT/],
    ],
    [
      'with two',
      [...socket, ...node, '--admin-socket', 'a', '--admin', '127.0.0.1:1'],
      [/cannot be used with option/],
    ],
    ['for a name that is no pod', [...socket, '--node-id', 'cart'], [/give NAMESPACE\/POD/]],
    ['for the address localhost', [...socket, ...node, '--admin', 'localhost'], [/give HOST:PORT/]],
    ['for the port 65536', [...socket, ...node, '--admin', '127.0.0.1:65536'], [/give HOST:PORT/]],
    ['for an IPv6 address without brackets', [...socket, ...node, '--admin', '::1:9901'], [/give HOST:PORT/]],
    [
      'with an option that does not exist',
      [...socket, ...node, '--listen', 'x'],
      [/unknown option '--listen'/],
    ],
  ])('%s', async (_, argv, messages) => {
    expectFailure(await bootstrap(...argv), 2, ...messages);
  });
});
