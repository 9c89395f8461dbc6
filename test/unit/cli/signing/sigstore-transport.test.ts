import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { sigstoreTransport } from '../../../../src/cli/signing/sigstore-transport.ts';
import { send } from '../../../../src/signing/services/request.ts';
import { onEnd } from '../../../support/cleanup.ts';

/** Refuses whatever is asked of it, and remembers that. */
async function server() {
  const asked: string[] = [];
  const http = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(403).end();
  });
  http.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onEnd(() => {
    http.closeAllConnections();
    http.close();
  });
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { asked, http, url: `http://127.0.0.1:${address.port}` };
}

function transport(env: NodeJS.ProcessEnv) {
  const made = sigstoreTransport(env);
  onEnd(() => made.close());
  return { ...made, sleep: async () => {} };
}

const ask = (url: string, env: NodeJS.ProcessEnv) =>
  send({ service: 'the service', url: new URL(url), method: 'GET', headers: {} }, [200], transport(env));

test("Sigstore's services are reached through the proxy of the environment", async () => {
  const proxy = await server();
  await expect(ask('https://fulcio.invalid/api', { HTTPS_PROXY: proxy.url })).rejects.toMatchObject({
    code: 'ERR_SIGSTORE_SERVICE',
  });
  expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT fulcio.invalid:443']));
});

test('but not where NO_PROXY says so, as networks too, nor on loopback', async () => {
  const [proxy, service] = await Promise.all([server(), server()]);
  const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '192.0.2.0/24,.invalid' };
  await expect(ask(service.url, env)).rejects.toMatchObject({ code: 'ERR_SIGSTORE_SERVICE' });
  expect(service.asked).toEqual(['GET /']);
  await expect(ask('https://fulcio.invalid/', env)).rejects.toMatchObject({ code: 'ERR_SIGSTORE_SERVICE' });
  expect(proxy.asked).toEqual([]);
});

test('a proxy that is none is said at once', () => {
  expect(() => sigstoreTransport({ HTTPS_PROXY: 'ftp://proxy.example' })).toThrow(/HTTPS_PROXY is no proxy/);
});

test('no connection is left when the transport is closed', async () => {
  const service = await server();
  const made = sigstoreTransport({});
  const request = { service: 'the service', url: new URL(service.url), method: 'GET', headers: {} } as const;
  await expect(send(request, [200], made)).rejects.toMatchObject({ code: 'ERR_SIGSTORE_SERVICE' });
  const open = () =>
    new Promise<number>((resolve, reject) =>
      service.http.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  expect(await open()).toBe(1);
  await made.close();
  await expect.poll(open).toBe(0);
});
