// Who may connect, by what TLS, and how connections end.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { WebhookServerErrorCode } from '../../../../src/admission/server/errors.ts';
import { makeTls } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';
import { agent, closed, gate, handshake, start, tcp, tls } from './support.ts';

const serialOf = (socket: TLSSocket): string | undefined => socket.getPeerCertificate().serialNumber;

describe('TLS', () => {
  test('a post-quantum key exchange, also with those who would rather not', async () => {
    const { server } = await start();
    for (const ecdhCurve of ['X25519MLKEM768', 'X25519:X25519MLKEM768', 'X25519:P-256:X25519MLKEM768']) {
      const socket = await handshake(server.port, { ecdhCurve });
      expect(socket.getProtocol()).toBe('TLSv1.3');
      expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    }
    // Older API servers do not have it.
    expect((await handshake(server.port, { ecdhCurve: 'X25519' })).getProtocol()).toBe('TLSv1.3');
  });

  test('1.2 with forward secrecy and authenticated encryption, and nothing older', async () => {
    const { server } = await start();
    const old = { maxVersion: 'TLSv1.2' } as const;
    expect((await handshake(server.port, old)).getCipher().name).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
    for (const ciphers of ['ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-SHA']) {
      await expect(handshake(server.port, { ...old, ciphers: `${ciphers}:@SECLEVEL=0` })).rejects.toThrow();
    }
    const ancient = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    await expect(handshake(server.port, ancient)).rejects.toThrow();
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: a session is not resumed', async (maxVersion) => {
    const { server } = await start();
    const first = await handshake(server.port, { maxVersion });
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    first.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await first.take(1).toArray();
    const session = sessions.at(-1) ?? first.getSession();
    const second = await handshake(server.port, { maxVersion, ...(session && { session }) });
    expect(second.isSessionReused()).toBe(false);
  });

  test('where a client CA is given, only whom it vouches for is heard', async () => {
    const [clients, others] = [await makeTls(), await makeTls()];
    const { server } = await start({ clientCa: clients.ca });
    const ask = async (socket: TLSSocket): Promise<string> => {
      socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      return String(
        (
          await socket
            .take(1)
            .toArray()
            .catch(() => ['nothing'])
        )[0],
      );
    };
    const { cert, key } = clients;
    expect(await ask(await handshake(server.port, { cert, key }))).toMatch(/^HTTP\/1\.1 404 /);
    // In TLS 1.3 a client learns of the refusal after its own handshake.
    for (const stranger of [{}, { cert: others.cert, key: others.key }]) {
      const refused = handshake(server.port, stranger).then(ask, () => 'nothing');
      expect(await refused).not.toMatch(/^HTTP/);
    }
  });
});

describe('another certificate', () => {
  test('is what new handshakes see, and open connections go on', async () => {
    const { server, certificate, post } = await start();
    const kept = agent();
    await post('/validate', { agent: kept });
    const before = serialOf(await handshake(server.port));
    const next = await makeTls();
    certificate.set({ certificate: next.cert, key: next.key });
    expect(serialOf(await handshake(server.port, { ca: next.ca }))).not.toBe(before);
    await expect(handshake(server.port)).rejects.toThrow();
    expect((await post('/validate', { agent: kept })).status).toBe(200);
    // The rules of TLS are still the same.
    const socket = await handshake(server.port, { ca: next.ca, ecdhCurve: 'X25519:X25519MLKEM768' });
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
  });

  test('that cannot be used is said, and the one before goes on', async () => {
    const { server, certificate, said } = await start();
    const before = serialOf(await handshake(server.port));
    const other = await makeTls();
    certificate.set({ certificate: other.cert, key: tls.key });
    expect(said).toEqual(['ERR_WEBHOOK_CERTIFICATE']);
    expect(serialOf(await handshake(server.port))).toBe(before);
  });
});

/** On a connection of its own. @returns when it is answered */
async function asking(port: number): Promise<TLSSocket> {
  const socket = await handshake(port);
  await ask(socket);
  return socket;
}

async function ask(socket: TLSSocket): Promise<void> {
  socket.write(
    'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  );
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
}

describe('connections', () => {
  test('when they are scarce, those go that were never answered anything', async () => {
    const { server, post } = await start({ limits: { maxConnections: 3 } });
    const api = agent();
    await post('/validate', { agent: api });
    const [first, second, third] = [await tcp(server.port), await tcp(server.port), await tcp(server.port)];
    await closed(first);
    // An answer of another kind proves nothing.
    const fourth = await handshake(server.port);
    fourth.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await closed(second);
    await tcp(server.port);
    await closed(third);
    await tcp(server.port);
    await closed(fourth);
    expect((await post('/validate', { agent: api })).status).toBe(200);
  });

  test('the address that holds the most loses one first, and the one that has been idle for longest', async () => {
    const { server, post } = await start({ limits: { maxConnections: 6 } });
    // An API server, with a connection that was answered and one that is about to ask.
    const api = agent('127.0.0.2');
    await post('/validate', { agent: api });
    const about = await tcp(server.port, '127.0.0.2');
    const [first, second, third] = [
      await asking(server.port),
      await asking(server.port),
      await asking(server.port),
    ];
    // Of those that were answered, one was used again.
    await ask(first);
    const fourth = await asking(server.port);
    // All places are taken. Whoever comes next, it is another of his that goes.
    const other = await tcp(server.port, '127.0.0.3');
    await closed(second);
    await asking(server.port);
    await closed(third);
    expect([about, other, first, fourth].map(({ destroyed }) => destroyed)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect((await post('/validate', { agent: api })).status).toBe(200);
  });

  test('those that are opened and left cost none that was answered, from however many addresses they come', async () => {
    const { server } = await start({ limits: { maxConnections: 8 } });
    const api = [await asking(server.port), await asking(server.port), await asking(server.port)];
    const silent: Socket[] = [];
    for (let one = 2; one <= 20; one++) silent.push(await tcp(server.port, `127.0.0.${one}`));
    for (const socket of silent.slice(0, 14)) await closed(socket);
    for (const socket of api) await ask(socket);
    expect(silent.slice(14).some(({ destroyed }) => destroyed)).toBe(false);
  });

  test('where client certificates are asked for, one is as good as an answer', async () => {
    const { ca, cert, key } = await makeTls();
    const { server } = await start({ clientCa: ca, limits: { maxConnections: 3 } });
    const api = await handshake(server.port, { cert, key });
    const silent = [await tcp(server.port), await tcp(server.port), await tcp(server.port)];
    await closed(silent[0] as Socket);
    await ask(api);
  });

  test('one on which something is judged stays', async () => {
    const { handler, signals, open } = gate();
    const { server, post } = await start({ validate: handler, limits: { maxConnections: 2 } });
    const asked = [post('/validate'), post('/validate')];
    await until('the questions', () => signals.length === 2);
    // There is no place for another, of whichever address.
    await closed(await tcp(server.port));
    await closed(await tcp(server.port, '127.0.0.2'));
    open();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await post('/mutate')).status).toBe(200);
  });

  test('one whose question does not come to its end does not', async () => {
    const { server, post } = await start({ limits: { maxConnections: 1 } });
    const socket = await handshake(server.port);
    socket.write(
      'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    const [answer] = await Promise.all([post('/validate'), closed(socket)]);
    expect(answer.status).toBe(200);
  });

  test('an address has its own limit, at which it loses its own', async () => {
    const { server, post } = await start({ limits: { maxConnectionsPerAddress: 2 } });
    const api = agent('127.0.0.2');
    await post('/validate', { agent: api });
    const [first, second] = [await asking(server.port), await asking(server.port)];
    await asking(server.port);
    await closed(first);
    await asking(server.port);
    await closed(second);
    const [own, last] = [await tcp(server.port, '127.0.0.2'), await tcp(server.port, '127.0.0.2')];
    await closed(own);
    expect(last.destroyed).toBe(false);
    expect((await post('/validate', { agent: api })).status).toBe(200);
  });

  test('what has closed does not count', async () => {
    const { server } = await start({ limits: { maxConnectionsPerAddress: 2 } });
    for (const socket of [await asking(server.port), await asking(server.port)]) {
      socket.end();
      await closed(socket);
    }
    const sockets = [await asking(server.port), await asking(server.port)];
    for (const socket of sockets) await ask(socket);
  });

  test('a connection ends with an answer, so that a new replica is found', async () => {
    const { post } = await start({ limits: { maxRequestsPerConnection: 2 } });
    const api = agent();
    expect((await post('/validate', { agent: api })).headers['connection']).toBe('keep-alive');
    expect((await post('/validate', { agent: api })).headers['connection']).toBe('close');
    expect((await post('/validate', { agent: api })).status).toBe(200);
  });

  test('an end in order: what is under way is answered, what comes is too, and takes its connection with it', async () => {
    const { handler, signals, open } = gate();
    const { server, post } = await start({ validate: handler });
    const [busy, idle] = [agent(), agent()];
    expect((await post('/mutate', { agent: idle })).headers['connection']).toBe('keep-alive');
    const asked = post('/validate', { agent: busy });
    await until('the question', () => signals.length === 1);
    const end = server.close(30_000);
    await expect(tcp(server.port)).rejects.toThrow('ECONNREFUSED');
    const last = await post('/mutate', { agent: idle });
    expect([last.status, last.headers['connection']]).toEqual([200, 'close']);
    expect(signals[0]?.aborted).toBe(false);
    open();
    const answer = await asked;
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'keep-alive']);
    await end;
  });

  test('a connection that nobody uses does not hold up the end', async () => {
    const { server } = await start();
    const socket = await handshake(server.port);
    await Promise.all([server.close(60_000), closed(socket)]);
  });

  test('nor does a request that does not end', async () => {
    const { handler, signals } = gate();
    const { server, post } = await start({ validate: handler });
    const asked = post('/validate').catch(() => 'cut off');
    await until('the question', () => signals.length === 1);
    await server.close(50);
    expect(await asked).toBe('cut off');
    await until('the end of it', () => signals[0]?.aborted);
  });
});

test.each<[string, string, WebhookServerErrorCode]>([
  ['192.0.2.1', 'is not an address of this machine', 'ERR_WEBHOOK_ADDRESS_UNAVAILABLE'],
  ['127.0.0.1', 'is in use', 'ERR_WEBHOOK_ADDRESS_IN_USE'],
])('%s %s', async (host, _why, code) => {
  const { server } = await start();
  await expect(start({ host, port: server.port })).rejects.toMatchObject({ code });
});

test('an IPv6 address is written as in a URL', async () => {
  const { server } = await start({ host: '::1' });
  expect(server.address).toBe(`[::1]:${server.port}`);
});
