// Requests to an API server: credentials that rotate, limits, and what its refusals are called.

import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { ClusterAccess } from '../../../../src/sources/kubernetes/cluster/access.ts';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { makeTls, type TlsFiles } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';
import { accessTo, clientTo, json, refusal, startFakeApi, watch } from './support.ts';

const get = (more: Partial<KubeRequest> = {}): KubeRequest => ({
  path: '/api/v1/pods',
  signal: new AbortController().signal,
  ...more,
});

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'trellis-kube-client-'));
  onEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('sends what it is given, below the path of the server', async () => {
  const api = await startFakeApi();
  api.script(json(201, { made: true }));
  const client = clientTo({ ...api.access, server: new URL(`${api.access.server.href}k8s/clusters/c/`) });
  const wanted = get({ method: 'POST', query: { dryRun: 'All' }, body: { a: 1 } });
  expect(await client.json(wanted)).toEqual({ made: true });
  expect(api.asked[0]).toMatchObject({
    ...{ method: 'POST', path: '/k8s/clusters/c/api/v1/pods', query: { dryRun: 'All' }, body: '{"a":1}' },
    headers: { 'content-type': 'application/json', accept: 'application/json' },
  });
  expect(api.asked[0]?.headers.authorization).toBeUndefined();
});

test('a token file is read for every request', async () => {
  const api = await startFakeApi();
  const file = join(await directory(), 'token');
  const client = clientTo({ ...api.access, token: { file } });
  for (const token of ['first', 'second']) {
    await writeFile(`${file}.new`, `${token}\n`);
    await rename(`${file}.new`, file);
    api.script(json(200, {}));
    await client.json(get());
  }
  expect(api.asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer second']);
  for (const empty of [writeFile(file, '\n'), rm(file)]) {
    await empty;
    await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_CREDENTIALS' });
  }
  expect(api.asked).toHaveLength(2);
});

test.each([
  [401, 'ERR_KUBE_UNAUTHORIZED'],
  [403, 'ERR_KUBE_FORBIDDEN'],
  [404, 'ERR_KUBE_NOT_FOUND'],
  [409, 'ERR_KUBE_CONFLICT'],
  [410, 'ERR_KUBE_EXPIRED'],
  [422, 'ERR_KUBE_REFUSED'],
  [302, 'ERR_KUBE_REFUSED'],
  [429, 'ERR_KUBE_OVERLOADED'],
  [500, 'ERR_KUBE_OVERLOADED'],
])('%i is %s, with the server’s own words on one line', async (status, code) => {
  const api = await startFakeApi();
  const message = 'pods "a"\n is\u001b[31m bad';
  for (const answer of ['json', 'stream'] as const) {
    api.script(refusal(status, { message }, { location: '/elsewhere' }));
    const problem = expect.objectContaining({
      ...{ code, status },
      message: expect.stringMatching(new RegExp(`^GET /api/v1/pods: status ${status}: pods "a"`)),
    });
    await expect(clientTo(api.access)[answer](get())).rejects.toEqual(problem);
  }
  expect(api.asked).toHaveLength(2);
});

test('a proxy’s page is a refusal too, and no answer where one is needed', async () => {
  const api = await startFakeApi();
  const client = clientTo(api.access);
  api.script((response) => response.writeHead(502).end('<html>'));
  await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_OVERLOADED' });
  api.script((response) => response.end('<html>'));
  await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_PROTOCOL' });
});

test('a server that takes connections and says nothing, not even in the handshake, is given up', {
  timeout: 15_000,
}, async () => {
  const api = await startFakeApi();
  const silent = createTcpServer((socket) => socket.on('error', () => {}));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onEnd(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const access = { ...api.access, server: new URL(`https://127.0.0.1:${port}`) };
  const client = clientTo(access, { connectMs: 40_000, requestMs: 50 });
  await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
  await expect(client.stream(get())).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await expect(client.json(get({ signal }))).rejects.toBe(reason);
  const later = new AbortController();
  const asked = client.json(get({ signal: later.signal, timeoutMs: 3_000 }));
  later.abort(reason);
  await expect(asked).rejects.toBe(reason);
});

test('an answer that does not come, or does not end, is given up', async () => {
  const api = await startFakeApi();
  const client = clientTo(api.access, { requestMs: 50 });
  await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
  await expect(client.stream(get())).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
  api.script(
    () => {},
    () => {},
    watch('{"half":'),
  );
  await expect(client.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
});

test('a stream has no end of time', async () => {
  const api = await startFakeApi();
  const client = clientTo(api.access, { requestMs: 50 });
  api.script((response) => {
    watch('a')(response, undefined as never);
    setTimeout(() => response.end('b'), 150);
  });
  let text = '';
  for await (const chunk of await client.stream(get())) text += chunk;
  expect(text).toBe('ab');
});

test('an answer that is too large is not read to its end', async () => {
  const api = await startFakeApi();
  let broken = false;
  api.script((response) => {
    response.on('close', () => {
      broken = true;
    });
    response.on('error', () => {});
    response.write('x'.repeat(200_000));
  });
  await expect(clientTo(api.access).json(get({ maxBytes: 1_000 }))).rejects.toMatchObject({
    code: 'ERR_KUBE_TOO_LARGE',
  });
  await until('the connection to be closed', () => broken);
});

test('nobody there', async () => {
  const api = accessTo('http://127.0.0.1:1');
  await expect(clientTo(api).json(get())).rejects.toMatchObject({
    code: 'ERR_KUBE_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});

test('an abort ends a request with its own reason', async () => {
  const api = await startFakeApi();
  const client = clientTo(api.access);
  const controller = new AbortController();
  const pending = client.json(get({ signal: controller.signal }));
  await until('the request', () => api.waiting() === 1);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
  await expect(client.json(get({ signal: controller.signal }))).rejects.toBe(reason);
  expect(api.asked).toHaveLength(1);
});

/** Answers with the subject of the client's certificate. */
async function startTlsServer(tls: TlsFiles, clients: TlsFiles): Promise<string> {
  const options = { cert: tls.cert, key: tls.key, ca: clients.ca, requestCert: true };
  const server = createServer(options, (request, response) => {
    const subject =
      request.socket instanceof TLSSocket && request.socket.authorized
        ? request.socket.getPeerCertificate().subject.CN
        : undefined;
    response.end(JSON.stringify({ subject, protocol: request.httpVersion }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `https://127.0.0.1:${address.port}`;
}

test('TLS: a private CA, a client certificate, both from files that rotate', async () => {
  const [server, client, other] = [await makeTls(), await makeTls(), await makeTls()];
  const url = await startTlsServer(server, client);
  const ca = join(await directory(), 'ca.pem');
  await writeFile(ca, other.ca);
  const access: ClusterAccess = accessTo(url, {
    ca: { file: ca },
    client: { certificate: { text: client.cert }, key: { file: client.keyFile } },
  });
  const ours = clientTo(access);
  await expect(ours.json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_UNREACHABLE' });
  await writeFile(ca, server.ca);
  expect(await ours.json(get())).toEqual({ subject: 'Test registry', protocol: '1.1' });
  // Not by Node's own anchors, and not under another name.
  await expect(clientTo(accessTo(url)).json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_UNREACHABLE' });
  const misnamed = { ...access, tlsServerName: 'kubernetes.example' };
  await expect(clientTo(misnamed).json(get())).rejects.toMatchObject({ code: 'ERR_KUBE_UNREACHABLE' });
});
