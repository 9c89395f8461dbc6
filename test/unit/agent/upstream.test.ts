import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Upstream } from '../../../src/agent/upstream.ts';
import { until } from '../../support/until.ts';

/** An HTTP/2 server, and the sessions it was opened, oldest first. */
async function startServer() {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { sessions, port: (server.address() as AddressInfo).port };
}

async function open(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

function startUpstream(connectOnce: () => Promise<ClientHttp2Session>) {
  const stop = new AbortController();
  const events: string[] = [];
  const upstream = new Upstream({
    connect: connectOnce,
    random: () => 0,
    hooks: { onUp: () => events.push('up'), onDown: (reason) => events.push(`down: ${reason}`) },
    signal: stop.signal,
  });
  onTestFinished(() => stop.abort());
  return { upstream, events, stop };
}

describe('the connection', () => {
  test('is there when it was opened, for those who waited too', async () => {
    const { port } = await startServer();
    const { upstream, events } = startUpstream(() => open(port));
    expect(upstream.current()).toBeUndefined();
    const waiting = [upstream.ready(), upstream.ready()];
    upstream.start();
    const [first, second] = await Promise.all(waiting);
    expect(first).toBe(upstream.current());
    expect(second).toBe(first);
    expect(await upstream.ready()).toBe(first);
    expect(events).toEqual(['up']);
  });

  test('is tried again until it can be opened, with a reason for each failure', async () => {
    const { port } = await startServer();
    let attempts = 0;
    const { upstream, events } = startUpstream(async () => {
      attempts++;
      if (attempts < 3) throw new Error(`away ${attempts}`);
      return await open(port);
    });
    upstream.start();
    await upstream.ready();
    expect(events).toEqual(['down: away 1', 'down: away 2', 'up']);
  });

  test('is opened again when it is lost', async () => {
    const { port, sessions } = await startServer();
    const { upstream, events } = startUpstream(() => open(port));
    upstream.start();
    const first = await upstream.ready();
    sessions[0]?.destroy();
    await until('another session', () => upstream.current() !== undefined && upstream.current() !== first);
    expect(events).toEqual(['up', 'down: the connection was closed', 'up']);
  });

  test('that is closed before it can be used is not taken', async () => {
    const { port } = await startServer();
    let attempts = 0;
    const { upstream, events } = startUpstream(async () => {
      const session = await open(port);
      attempts++;
      if (attempts === 1) session.destroy();
      return session;
    });
    upstream.start();
    expect((await upstream.ready()).destroyed).toBe(false);
    expect(events).toEqual(['down: the connection was closed as soon as it was open', 'up']);
  });

  test('is started once, however often it is asked for', async () => {
    const { port, sessions } = await startServer();
    const { upstream } = startUpstream(() => open(port));
    upstream.start();
    upstream.start();
    await upstream.ready();
    await until('the session', () => sessions.length > 0);
    expect(sessions).toHaveLength(1);
  });
});

describe('replacing it', () => {
  test('opens the new one before it closes the old one, and is no loss', async () => {
    const { port } = await startServer();
    const order: string[] = [];
    const { upstream, events } = startUpstream(async () => {
      const session = await open(port);
      order.push('opened');
      session.once('close', () => order.push('closed'));
      return session;
    });
    upstream.start();
    const old = await upstream.ready();
    await upstream.replace();
    expect(upstream.current()).not.toBe(old);
    await until('the old one to close', () => old.destroyed);
    expect(order).toEqual(['opened', 'opened', 'closed']);
    expect(events).toEqual(['up', 'up']);
    expect(upstream.current()?.destroyed).toBe(false);
  });

  test('cuts streams that do not end by themselves', async () => {
    const { port } = await startServer();
    const { upstream } = startUpstream(() => open(port));
    upstream.start();
    const old = await upstream.ready();
    const endless = old.request({ ':method': 'POST', ':path': '/' });
    endless.on('error', () => {});
    await once(endless, 'response');
    await upstream.replace();
    expect(endless.closed).toBe(false);
    await until('the stream to be cut', () => endless.destroyed);
    expect(old.destroyed).toBe(true);
  });

  test('keeps the old one when there is no new one', async () => {
    const { port } = await startServer();
    let attempts = 0;
    const { upstream, events } = startUpstream(async () => {
      attempts++;
      if (attempts === 2) throw new Error('away');
      return await open(port);
    });
    upstream.start();
    const old = await upstream.ready();
    await expect(upstream.replace()).rejects.toThrow('away');
    expect(upstream.current()).toBe(old);
    expect(events).toEqual(['up']);
  });

  test('leaves none open that was opened meanwhile', async () => {
    const { port, sessions } = await startServer();
    const slow = Promise.withResolvers<void>();
    let attempts = 0;
    const { upstream } = startUpstream(async () => {
      attempts++;
      // The replacement takes longer than reopening what was lost.
      if (attempts === 2) await slow.promise;
      return await open(port);
    });
    upstream.start();
    await upstream.ready();
    const replaced = upstream.replace();
    sessions[0]?.destroy();
    await until('the lost one to be reopened', () => sessions.length === 2);
    await upstream.ready();
    slow.resolve();
    await replaced;
    await until(
      'one session to be left',
      () => sessions.filter((session) => !session.destroyed).length === 1,
    );
    expect(upstream.current()?.destroyed).toBe(false);
  });
});

describe('a stop', () => {
  test('closes the connection and opens no other', async () => {
    const { port, sessions } = await startServer();
    const { upstream, events, stop } = startUpstream(() => open(port));
    upstream.start();
    const session = await upstream.ready();
    stop.abort();
    expect(session.destroyed).toBe(true);
    await until('the server to see it', () => sessions[0]?.destroyed);
    expect(events).toEqual(['up']);
    expect(sessions).toHaveLength(1);
  });

  test('rejects those who wait for a connection, now and later', async () => {
    const { upstream, stop } = startUpstream(() => Promise.reject(new Error('away')));
    const reason = new Error('stopping');
    const waiting = upstream.ready();
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(upstream.ready()).rejects.toBe(reason);
  });

  test('closes a connection that is opened too late', async () => {
    const { port } = await startServer();
    const opened: ClientHttp2Session[] = [];
    const gate = Promise.withResolvers<void>();
    const { upstream, stop } = startUpstream(async () => {
      await gate.promise;
      const session = await open(port);
      opened.push(session);
      return session;
    });
    upstream.start();
    const replaced = upstream.replace();
    stop.abort();
    gate.resolve();
    await replaced;
    await until('both', () => opened.length === 2 && opened.every((session) => session.destroyed));
    expect(upstream.current()).toBeUndefined();
  });
});
