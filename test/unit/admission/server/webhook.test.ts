// What the webhook server takes, for how long, and what it says.

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { until } from '../../../support/until.ts';
import { agent, closed, gate, handshake, start, tcp } from './support.ts';

test('each webhook has its own handler, which gets the JSON and answers with some', async () => {
  const { post, said } = await start({
    validate: async (body) => ({ validated: body }),
    mutate: async (body) => ({ mutated: body }),
  });
  const body = '{"request":{"uid":"a"}}';
  const answer = await post('/validate?timeout=10s', { body });
  expect(answer).toMatchObject({ status: 200, body: { validated: { request: { uid: 'a' } } } });
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect((await post('/mutate', { body, type: 'application/json; charset=utf-8' })).body).toEqual({
    mutated: JSON.parse(body),
  });
  await until('both reports', () => said.length === 2);
  expect(said).toEqual(['validate answered', 'mutate answered']);
});

describe('what is no question is refused before any handler sees it', () => {
  test.each([
    ['another type', '/validate', { type: 'text/plain' }, 415],
    ['no JSON', '/validate', { body: '{"a":' }, 400],
    ['nothing', '/validate', { body: '' }, 400],
    ['text that is not UTF-8', '/validate', { body: Buffer.from('"\xff"', 'latin1') }, 400],
    ['two answers to what it is', '/validate', { body: '{}{}' }, 400],
    ['too much', '/mutate', { body: `"${'x'.repeat(1_000)}"` }, 413],
    ['another path', '/', {}, 404],
  ])('%s', async (_what, path, options, status) => {
    let called = false;
    const handler = async (): Promise<object> => {
      called = true;
      return {};
    };
    const { post } = await start({ validate: handler, mutate: handler, limits: { maxBodyBytes: 500 } });
    expect(await post(path, options)).toMatchObject({ status, body: { kind: 'Status', code: status } });
    expect(called).toBe(false);
  });

  test('a body of unknown length', async () => {
    const { server, said } = await start();
    const socket = await handshake(server.port);
    socket.write(
      'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    );
    expect(String((await socket.take(1).toArray())[0])).toMatch(/^HTTP\/1\.1 411 /);
    await until('the report', () => said.length > 0);
    expect(said).toEqual(['validate refused']);
  });

  test('a GET', async () => {
    const { server } = await start();
    const socket = await handshake(server.port);
    socket.write('GET /validate HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(String((await socket.take(1).toArray())[0])).toMatch(/^HTTP\/1\.1 404 /);
  });
});

test('an error says where to look and nothing else', async () => {
  const error = new Error('/etc/secret/token: hunter2');
  const { post, failures } = await start({ validate: () => Promise.reject(error) });
  const { status, body } = await post('/validate');
  const [failure] = failures;
  expect(failure?.error).toBe(error);
  expect(status).toBe(500);
  expect(body).toEqual({
    ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 500 },
    message: expect.stringContaining(`look for ${failure?.reference} in the log`),
  });
  expect(JSON.stringify(body)).not.toContain('hunter2');
});

describe('time', () => {
  test('when it is up the handler is told, and its last word counts', async () => {
    const { post } = await start({
      validate: (_body, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ why: String(signal.reason) }));
        }),
    });
    const { status, body } = await post('/validate?timeout=1s');
    expect({ status, body }).toEqual({
      status: 200,
      body: { why: 'AbortError: no time is left to judge in' },
    });
  });

  test('a handler that has none is spoken for', async () => {
    const { post, said } = await start({ validate: gate().handler });
    expect(await post('/validate?timeout=1s')).toMatchObject({
      status: 500,
      body: { kind: 'Status', message: expect.stringContaining('no time') },
    });
    await until('the report', () => said.includes('validate timed-out'));
  });

  test('an API server that has gone is waited for by nobody', async () => {
    const { handler, signals } = gate();
    const { post, said } = await start({ validate: handler, limits: { maxUnderWay: 1 } });
    const leaving = new AbortController();
    const asked = post('/validate', { signal: leaving.signal });
    await until('the question', () => signals.length === 1);
    expect(signals[0]?.aborted).toBe(false);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await until('the end', () => signals[0]?.aborted);
    expect(said).toEqual(['validate abandoned']);
    // And its place is free.
    expect((await post('/mutate')).status).toBe(200);
  });

  test('a body that does not come is not waited for', async () => {
    const { server, said } = await start({ limits: { bodyMs: 50 } });
    const socket = await handshake(server.port);
    socket.write(
      'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    await closed(socket);
    await until('the report', () => said.length > 0);
    expect(said).toEqual(['validate abandoned']);
  });
});

describe('more than can be judged at once is sent away at once, with the word to come back', () => {
  test('requests', async () => {
    const { handler, signals, open } = gate();
    const { post, said } = await start({ validate: handler, limits: { maxUnderWay: 2 } });
    const first = [post('/validate'), post('/validate')];
    await until('both', () => signals.length === 2);
    // Both webhooks count together.
    const refused = await post('/mutate');
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(said).toEqual(['mutate overloaded']);
    open();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    await until('their end', () => said.length === 3);
    expect((await post('/mutate')).status).toBe(200);
  });

  test('bytes', async () => {
    const { handler, signals, open } = gate();
    const { post, said } = await start({ validate: handler, limits: { maxBytesUnderWay: 2_000 } });
    const body = `"${'x'.repeat(1_000)}"`;
    const first = post('/validate', { body });
    await until('the first', () => signals.length === 1);
    const kept = agent();
    expect(await post('/mutate', { body, agent: kept })).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1', connection: 'keep-alive' },
    });
    expect((await post('/mutate', { body: '{}', agent: kept })).status).toBe(200);
    open();
    await first;
    await until('its end', () => said.includes('validate answered'));
    expect((await post('/mutate', { body })).status).toBe(200);
  });

  test('what a body takes when it has been parsed, which is a multiple', async () => {
    const { handler, signals, open } = gate();
    const { post } = await start({ validate: handler, limits: { maxBytesUnderWay: 60_000 } });
    const body = `[${'{},'.repeat(250)}{}]`;
    const first = post('/validate', { body });
    await until('the first', () => signals.length === 1);
    expect((await post('/mutate', { body })).status).toBe(429);
    open();
    await first;
  });

  test('a body that could never be judged is not asked for again', async () => {
    const { post, said } = await start({ limits: { maxBytesUnderWayPerAddress: 60_000 } });
    const { status, body } = await post('/validate', { body: `[${'{},'.repeat(500)}{}]` });
    expect({ status, body }).toMatchObject({
      status: 413,
      body: { message: expect.stringContaining('memory') },
    });
    await until('the report', () => said.length > 0);
    expect(said).toEqual(['validate refused']);
  });
});

describe('what has only been announced takes nothing from anybody', () => {
  const announce = (bytes: number) =>
    `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;
  const large = `"${'x'.repeat(1_000)}"`;

  test('neither bytes nor a place among the requests', async () => {
    const { server, post, said } = await start({ limits: { maxUnderWay: 2, maxBytesUnderWay: 10_000 } });
    const sockets = await Promise.all(Array.from({ length: 8 }, () => handshake(server.port)));
    for (const socket of sockets) socket.write(announce(8 * 1024 * 1024));
    // Another one on each, so that they have been read.
    const agents = [agent(), agent()];
    for (const each of agents) expect((await post('/validate', { agent: each })).status).toBe(200);
    // One byte more, and they are still there.
    for (const socket of sockets) socket.write('[');
    for (const each of agents) expect((await post('/validate', { agent: each })).status).toBe(200);
    expect(said.filter((each) => each !== 'validate answered')).toEqual([]);
  });

  test('what has come of it does, until it is cut off', async () => {
    const { server, post, said } = await start({ limits: { maxBytesUnderWay: 4_000 } });
    const socket = await handshake(server.port);
    socket.write(`${announce(10_000)}"${'x'.repeat(3_000)}`);
    await until('its bytes to count', async () => (await post('/mutate', { body: large })).status === 429);
    socket.destroy();
    await until('the report', () => said.includes('validate abandoned'));
    expect((await post('/mutate', { body: large })).status).toBe(200);
  });

  test('many small pieces cost more than their bytes', async () => {
    const { server } = await start({ limits: { maxBytesUnderWay: 4_000 } });
    const socket = await handshake(server.port);
    socket.write(announce(50));
    const answer = socket.take(1).toArray();
    // Each is a record of TLS by itself, and read by itself.
    for (const piece of `"${'x'.repeat(48)}"`) await new Promise((resolve) => socket.write(piece, resolve));
    expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 429 /);
  });
});

describe('one address leaves something for the others', () => {
  test('requests', async () => {
    const { handler, signals, open } = gate();
    const { post } = await start({ validate: handler, limits: { maxUnderWayPerAddress: 2 } });
    const first = [post('/validate'), post('/validate')];
    await until('both', () => signals.length === 2);
    expect((await post('/mutate')).status).toBe(429);
    expect((await post('/mutate', { agent: agent('127.0.0.2') })).status).toBe(200);
    open();
    await Promise.all(first);
  });

  test('bytes', async () => {
    const { handler, signals, open } = gate();
    const { post } = await start({ validate: handler, limits: { maxBytesUnderWayPerAddress: 2_000 } });
    const body = `"${'x'.repeat(1_000)}"`;
    const first = post('/validate', { body });
    await until('the first', () => signals.length === 1);
    expect((await post('/mutate', { body })).status).toBe(429);
    expect((await post('/mutate', { body, agent: agent('127.0.0.2') })).status).toBe(200);
    open();
    await first;
  });
});

describe('one that has little gets its part from those who have most', () => {
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];

  test('requests', async () => {
    const { handler, signals, open } = gate();
    const { post, said } = await start({ validate: handler, limits: { maxUnderWay: 6 } });
    const held = [];
    for (const address of [...addresses, ...addresses]) {
      held.push(post('/validate', { agent: agent(address) }));
      await until('it', () => signals.length === held.length);
    }
    expect((await post('/mutate', { agent: agent('127.0.0.1') })).status).toBe(200);
    // The newest of the first who has the most: as one that came too late.
    expect(await held[3]).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false, true, false, false]);
    expect(said).toContain('validate overloaded');
    open();
    expect((await Promise.all(held)).filter(({ status }) => status === 200)).toHaveLength(5);
  });

  const text = (length: number): string => `"${'x'.repeat(length)}"`;
  const limits = { maxBytesUnderWay: 10_000, maxBytesUnderWayPerAddress: 9_000 };

  test('bytes of what is judged', async () => {
    const { handler, signals } = gate();
    const { post } = await start({ validate: handler, limits });
    const held = post('/validate', { body: text(7_000), agent: agent('127.0.0.2') });
    await until('the question', () => signals.length === 1);
    expect((await post('/mutate', { body: text(4_000) })).status).toBe(200);
    expect(await held).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(String(signals[0]?.reason)).toBe('AbortError: there is too much to judge at once');
  });

  test('bytes of what has only begun to come, which is read to its end and then sent away', async () => {
    const { server, post } = await start({ limits });
    const socket = await handshake(server.port, { socket: await tcp(server.port, '127.0.0.2') });
    const [first, rest] = [text(8_000).slice(0, 7_000), text(8_000).slice(7_000)];
    socket.write(
      `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 8002\r\n\r\n${first}`,
    );
    // Its own network has no more; another one takes from it.
    const own = agent('127.0.0.2');
    await until(
      'its bytes',
      async () => (await post('/mutate', { body: text(3_000), agent: own })).status === 429,
    );
    expect((await post('/mutate', { body: text(4_000) })).status).toBe(200);
    socket.write(rest);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 429 .*\r\nconnection: keep-alive\r\n/is);
  });
});

test('a key __proto__ is a field like any other', async () => {
  const { post } = await start({
    validate: async (body) => {
      const { a } = body as { readonly a: object };
      return { own: Object.keys(a), inherited: (a as { readonly b?: unknown }).b ?? 'nothing' };
    },
  });
  const { status, body } = await post('/validate', {
    body: '{"a":{"__proto__":{"b":1},"constructor":{"prototype":{"b":1}}}}',
  });
  expect({ status, body }).toEqual({
    status: 200,
    body: { own: ['__proto__', 'constructor'], inherited: 'nothing' },
  });
  expect(({} as { readonly b?: unknown }).b).toBeUndefined();
});
