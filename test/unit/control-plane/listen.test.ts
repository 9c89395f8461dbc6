import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ControlPlaneError, type ControlPlaneErrorCode } from '../../../src/control-plane/errors.ts';
import { type ListenAddress, listen } from '../../../src/control-plane/listen.ts';
import { defaultGrpcLimits } from '../../../src/grpc/limits.ts';
import { loopbackAddress } from '../../support/ports.ts';

function server(): Http2SecureServer {
  const made = createSecureServer();
  onTestFinished(() => void made.close());
  return made;
}

async function expectRefusal(code: ControlPlaneErrorCode, message: string, address: ListenAddress) {
  const error = await listen(server(), address).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ControlPlaneError);
  expect(error).toMatchObject({ code, message });
}

test('tells where it listens, also when the port was left to the system', async () => {
  const host = loopbackAddress();
  const { port, ...rest } = await listen(server(), { host, port: 0 });
  expect(rest).toEqual({ host });
  expect(port).toBeGreaterThan(0);
});

test('as many connections may wait as there may be: after a restart all agents come at once', async () => {
  const waiting = server();
  const asked = vi.spyOn(waiting, 'listen');
  await listen(waiting, { host: loopbackAddress(), port: 0 });
  const { maxSessions } = defaultGrpcLimits;
  expect(asked).toHaveBeenCalledWith(expect.objectContaining({ backlog: maxSessions }));
  expect(maxSessions).toBeGreaterThan(2_000);
});

describe('what is wrong with an address is said with what to do:', () => {
  test('in use', async () => {
    const host = loopbackAddress();
    const other = createServer().listen(15_010, host);
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    await expectRefusal(
      'ERR_LISTEN_ADDRESS_IN_USE',
      `control plane: ${host}:15010 is in use by another process: stop that one, or choose another with --listen`,
      { host, port: 15_010 },
    );
  });

  test("not this machine's", async () => {
    // TEST-NET-3 (RFC 5737) is nobody's.
    await expectRefusal(
      'ERR_LISTEN_ADDRESS_UNAVAILABLE',
      'control plane: 203.0.113.7:15010 is not an address of this machine: choose one that is with --listen',
      { host: '203.0.113.7', port: 15_010 },
    );
  });

  test('an IPv6 address is written as it has to be given', async () => {
    await expectRefusal(
      'ERR_LISTEN_ADDRESS_UNAVAILABLE',
      'control plane: [2001:db8::7]:15010 is not an address of this machine: choose one that is with --listen',
      { host: '2001:db8::7', port: 15_010 },
    );
  });

  test('not allowed', async () => {
    const forbidden = server();
    // Who may listen where differs between machines and users; what the system says does not.
    forbidden.listen = ((): Http2SecureServer => {
      const error = Object.assign(new Error('listen EACCES'), { code: 'EACCES' });
      queueMicrotask(() => forbidden.emit('error', error));
      return forbidden;
    }) as Http2SecureServer['listen'];
    await expect(listen(forbidden, { host: '127.0.0.1', port: 80 })).rejects.toMatchObject({
      code: 'ERR_LISTEN_ADDRESS_FORBIDDEN',
      message: expect.stringContaining('choose a port from 1024 up'),
    });
  });

  test('anything else is passed on as it is', async () => {
    const broken = server();
    const error = Object.assign(new Error('listen EMFILE'), { code: 'EMFILE' });
    broken.listen = ((): Http2SecureServer => {
      queueMicrotask(() => broken.emit('error', error));
      return broken;
    }) as Http2SecureServer['listen'];
    await expect(listen(broken, { host: '127.0.0.1', port: 1 })).rejects.toBe(error);
  });
});
