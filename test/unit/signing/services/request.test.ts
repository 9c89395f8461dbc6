// Requests to Sigstore's services: what goes where, how often, and what comes back of it.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  jsonAnswer,
  resourceUrl,
  type ServiceRequest,
  send,
  serviceUrl,
} from '../../../../src/signing/services/request.ts';
import { onEnd } from '../../../support/cleanup.ts';

const secret = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwcyJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ';

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return new URL(`http://127.0.0.1:${address.port}/`);
}

function post(url: URL): ServiceRequest {
  return { service: 'Fulcio', url, method: 'POST', headers: {}, body: `{"token":"${secret}"}`, secret };
}

async function failure(url: URL, slept: number[] = []): Promise<string> {
  const sleep = async (milliseconds: number) => void slept.push(milliseconds);
  const error = await send(post(url), [200], { sleep }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'SigningError', code: 'ERR_SIGSTORE_SERVICE' });
  const shown = inspect(error, { depth: Number.POSITIVE_INFINITY });
  for (const part of secret.split('.')) expect(shown).not.toContain(part);
  return (error as Error).message;
}

describe('an address', () => {
  test.each([
    'https://fulcio.example',
    'https://fulcio.example:8443/base/',
    'http://127.0.0.1:8080',
    'http://localhost',
    'http://[::1]:1',
  ])('%s is taken', (text) => {
    expect(serviceUrl(text, 'the URL').href).toContain('://');
  });

  test.each([
    '',
    'fulcio.example',
    'http://fulcio.example',
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'https://user:pass@fulcio.example',
    'https://user@fulcio.example',
    'https://fulcio.example/#x',
    'file:///etc/passwd',
    'ftp://fulcio.example',
  ])('"%s" is refused', (text) => {
    expect(() => serviceUrl(text, 'the URL of Fulcio')).toThrow(
      expect.objectContaining({
        code: 'ERR_SIGSTORE_URL_INVALID',
        message: expect.stringMatching(/^the URL of Fulcio must be an https/),
      }),
    );
  });

  test('keeps its path in front of those of its resources', () => {
    expect(resourceUrl(new URL('https://x.example/fulcio/'), '/api/v2/signingCert').href).toBe(
      'https://x.example/fulcio/api/v2/signingCert',
    );
    expect(resourceUrl(new URL('https://x.example'), '/api').href).toBe('https://x.example/api');
  });
});

describe('a request', () => {
  test('follows no redirect: the token stays with whom it was sent to', async () => {
    const bodies: string[] = [];
    const elsewhere = await serve(async (request, response) => {
      for await (const chunk of request) bodies.push(String(chunk));
      response.end('{}');
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await serve((_request, response) => {
        response.writeHead(status, { location: elsewhere.href });
        response.end();
      });
      expect(await failure(url)).toMatch(/redirect, which is not followed/);
    }
    expect(bodies).toEqual([]);
  });

  test.each([408, 429, 500, 503])('is made again, twice, after status %i', async (status) => {
    let requests = 0;
    const slept: number[] = [];
    const url = await serve((_request, response) => {
      requests += 1;
      response.writeHead(status);
      response.end();
    });
    expect(await failure(url, slept)).toMatch(`refused with status ${status}`);
    expect(requests).toBe(3);
    expect(slept).toEqual([500, 1000]);
  });

  test('waits as long as it is told to, unless that is too long', async () => {
    for (const [retryAfter, expected] of [
      ['2', [2000, 2000]],
      ['3600', []],
      ['soon', [500, 1000]],
    ] as const) {
      const slept: number[] = [];
      const url = await serve((_request, response) => {
        response.writeHead(503, { 'retry-after': retryAfter });
        response.end();
      });
      await failure(url, slept);
      expect(slept).toEqual(expected);
    }
  });

  test('succeeds when a later attempt does', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      if (requests === 1) return void response.destroy();
      response.writeHead(requests === 2 ? 500 : 200);
      response.end('{"a":1}');
    });
    const answer = await send(post(url), [200], { sleep: async () => {} });
    expect(jsonAnswer('Fulcio', answer)).toEqual({ a: 1 });
  });

  test('is not made again after a refusal', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.writeHead(400);
      response.end('{"code":3,"message":"the token\\nis \\u0000expired"}');
    });
    expect(await failure(url)).toMatch(/refused with status 400: the token is expired$/);
    expect(requests).toBe(1);
  });

  test('says where nobody answered', async () => {
    expect(await failure(new URL('http://127.0.0.1:1/'))).toMatch(
      /Fulcio at http:\/\/127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/,
    );
  });

  test('ends with its caller’s patience, for the caller’s reason', async () => {
    const url = await serve(() => {});
    const controller = new AbortController();
    const pending = send(post(url), [200], {}, controller.signal);
    controller.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
  });
});

describe('an answer', () => {
  test('without end is not read to its end', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      const chunk = Buffer.alloc(64 * 1024);
      const write = () => {
        while (response.write(chunk));
        response.once('drain', write);
      };
      write();
    });
    expect(await failure(url)).toMatch(/more than 262144 bytes/);
    expect(requests).toBe(1);
  });

  test.each([
    ['as it is', secret],
    ['in a sentence', `cannot verify ${secret}: bad`],
    ['in part', `cannot verify ${secret.slice(10)}: bad`],
    ['as JSON', JSON.stringify({ message: `token "${secret}"` })],
  ])('does not bring the token into a message, %s', async (_name, body) => {
    const url = await serve((_request, response) => {
      response.writeHead(400);
      response.end(body);
    });
    expect(await failure(url)).toMatch(/status 400/);
  });

  test('is quoted in one short line', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(400);
      response.end('word '.repeat(1000));
    });
    expect((await failure(url)).length).toBeLessThan(300);
  });

  test('that is not one JSON object is refused, unquoted', () => {
    for (const text of ['', 'secretsecret', '[1]', '1', 'null', '{"a":1,"a":2}', '{"a":']) {
      const answer = { status: 200, location: undefined, body: Buffer.from(text) };
      try {
        jsonAnswer('Rekor', answer);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_SIGSTORE_SERVICE' });
        expect(inspect(error)).not.toContain('secretsecret');
      }
    }
  });
});
