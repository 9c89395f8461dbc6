// `trellis webhook`: what it refuses to start with, and that it ends when it is told to. test/kube and test/admission have the rest.

import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { onEnd } from '../../../support/cleanup.ts';
import { makeTls } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';
import { expectFailure, TrellisProcess, trellis } from '../commands/support.ts';
import { workspace } from './support.ts';

const files = await workspace();
const tls = await makeTls();
const anyPort = ['--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];

async function kubeconfig(server: string): Promise<string> {
  return await files.write('kubeconfig', {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'a', cluster: { server, 'certificate-authority': tls.caFile } }],
    users: [{ name: 'a', user: {} }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    'current-context': 'a',
  });
}

describe('what is refused before anything is opened', () => {
  test.each([
    [
      'a certificate without its key',
      ['--certificate', 'files', '--tls-cert', 'a'],
      /--tls-cert means nothing without/,
    ],
    [
      'a key without its certificate',
      ['--certificate', 'files', '--tls-key', 'a'],
      /--tls-key means nothing without/,
    ],
    [
      'files that nobody would look at',
      ['--tls-cert', 'a', '--tls-key', 'b'],
      /give --certificate files too/,
    ],
    ['files that are not given', ['--certificate', 'files'], /give --tls-cert and --tls-key/],
    ['another mode', ['--certificate', 'none'], /Allowed choices are managed, files/],
    ['a sidecar by its tag', ['--sidecar-image', 'envoy:v1'], /a tag can be moved.*\n.*by its digest/],
    ['no bytes', ['--cache-bytes', '0'], /a whole number above 0/],
    ['no time', ['--recheck-interval', '0s'], /such as 30s/],
    ['no namespace', ['--exempt-namespace', 'A B'], /as in trading/],
    ['no address', ['--listen', 'nowhere'], /give HOST:PORT/],
    ['an option twice', ['--lease', 'a', '--lease', 'b'], /--lease is given twice/],
  ])('%s', async (_, argv, message) => {
    expectFailure(await trellis('webhook', ...argv), 2, message);
  });
});

describe('what it cannot start with ends it with a reason', () => {
  test('no cluster around it', async () => {
    expectFailure(
      await trellis('webhook', ...anyPort),
      78,
      /not run in a pod.*\n {2}name an API server with --kubeconfig/,
    );
  });

  test.each([
    ['a kubeconfig that is not there', ['--kubeconfig', 'nope'], 78, /nope cannot be read/],
    ['a CA file that is not there', ['--client-ca', 'nope'], 2, /the CA file nope: there is no such file/],
    ['an address that is none', ['--registry-address', 'nowhere'], 2, /"nowhere" is no address/],
    [
      'a certificate that is not there',
      ['--certificate', 'files', '--tls-cert', 'nope', '--tls-key', 'nope'],
      78,
      /nope cannot be read/,
    ],
  ])('%s', async (_, argv, exitCode, message) => {
    const given = argv.includes('--kubeconfig')
      ? []
      : ['--kubeconfig', await kubeconfig('https://127.0.0.1:1')];
    const { ended } = new TrellisProcess(['webhook', ...anyPort, '--log-level', 'silent', ...given, ...argv]);
    expectFailure(await ended, exitCode, message);
  });
});

/** It has no object, and whoever watches hears nothing. */
async function startApiServer(): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer({ cert: tls.cert, key: tls.key }, ({ url = '', method = '' }, response) => {
    asked.push(`${method} ${url}`);
    const isList = url.startsWith('/apis/security.quantum.io/v1/quantumsecuritypolicies');
    if (isList && url.includes('watch=')) {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      return;
    }
    const list = { kind: 'QuantumSecurityPolicyList', metadata: { resourceVersion: '1' }, items: [] };
    const status = { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 };
    response.writeHead(isList ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isList ? list : status));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe('SIGTERM', () => {
  test('ends it while it waits for a certificate', async () => {
    const api = await startApiServer();
    const config = await kubeconfig(api.url);
    const webhook = new TrellisProcess(['webhook', ...anyPort, '--kubeconfig', config]);
    await until('the Secret to be read', () => api.asked.some((each) => each.includes('/secrets/')));
    expect((await webhook.stop()).exitCode).toBe(0);
    expect(webhook.output).not.toContain('the webhook serves');
  });

  test('ends it while it serves', async () => {
    const api = await startApiServer();
    const config = await kubeconfig(api.url);
    const certificate = ['--certificate', 'files', '--tls-cert', tls.certFile, '--tls-key', tls.keyFile];
    const webhook = new TrellisProcess(['webhook', ...anyPort, '--kubeconfig', config, ...certificate]);
    await until('the webhook', () => webhook.output.includes('the webhook serves'));
    const { exitCode, stdout, stderr } = await webhook.stop();
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(stderr).toContain('"signal":"SIGTERM"');
  });

  test('ends it while it has no policies, until when it does not say that it serves', async () => {
    const config = await kubeconfig('https://127.0.0.1:1');
    const certificate = ['--certificate', 'files', '--tls-cert', tls.certFile, '--tls-key', tls.keyFile];
    const webhook = new TrellisProcess(['webhook', ...anyPort, '--kubeconfig', config, ...certificate]);
    await until('the webhook', () => webhook.output.includes('the webhook listens'));
    expect((await webhook.stop()).exitCode).toBe(0);
    expect(webhook.output).toMatch(/refuses everything until it is ready \(policies: .*could not be read/);
    expect(webhook.output).not.toContain('the webhook serves');
  });
});
