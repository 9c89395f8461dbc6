import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { chmod, lstat, mkdir, symlink, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect, Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { AgentError, type AgentErrorCode } from '../../../src/agent/errors.ts';
import { serveSocket } from '../../../src/agent/socket.ts';
import { unaryCall } from '../../../src/grpc/client.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';

const echo = new Map([
  ['/test.Echo/Say', { kind: 'unary' as const, handle: async (request: Uint8Array) => request }],
]);

async function serve(path: string) {
  const socket = await serveSocket(path, echo, () => {});
  onTestFinished(() => socket.close());
  return socket;
}

async function say(path: string): Promise<string> {
  const session = connectHttp2('http://localhost', { path });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  const answer = await unaryCall(session, '/test.Echo/Say', Buffer.from('hello'), { timeoutMs: 5000 });
  return Buffer.from(answer).toString();
}

const modeOf = async (path: string) => (await lstat(path)).mode & 0o777;

async function expectRefusal(code: AgentErrorCode, message: RegExp, path: string): Promise<void> {
  const error = await serveSocket(path, echo, () => {}).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AgentError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
}

test('it is served to its owner alone, from the first moment', async () => {
  const path = join(await temporaryDirectory(), 'agent.sock');
  const umask = process.umask(0);
  onTestFinished(() => void process.umask(umask));
  // The socket is there as soon as listen() returns, before anything else of this process can run.
  const listen = Server.prototype.listen as (...args: unknown[]) => Server;
  const modes: number[] = [];
  const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (
    this: Server,
    ...args: unknown[]
  ) {
    listen.apply(this, args);
    modes.push(lstatSync(path).mode & 0o777);
    return this;
  });
  onTestFinished(() => spy.mockRestore());
  await serve(path);
  expect(modes).toEqual([0o600]);
  expect(await modeOf(path)).toBe(0o600);
  expect(process.umask()).toBe(0);
  expect(await say(path)).toBe('hello');
});

test('the process is left with the umask it had, also when the socket cannot be served', async () => {
  const before = process.umask();
  const path = join(await temporaryDirectory(), 'missing', 'agent.sock');
  await expectRefusal('ERR_AGENT_SOCKET_PATH', /cannot listen on .*missing/, path);
  expect(process.umask()).toBe(before);
});

test('closing it removes it', async () => {
  const path = join(await temporaryDirectory(), 'agent.sock');
  const socket = await serveSocket(path, echo, () => {});
  await socket.close();
  await expect(lstat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

/** A process that listens there, with room for one connection that it has not taken yet. */
async function listenElsewhere(path: string) {
  const script = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

describe('what is there already', () => {
  test('a socket that a killed process left behind is replaced', async () => {
    const path = join(await temporaryDirectory(), 'agent.sock');
    const killed = await listenElsewhere(path);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await chmod(path, 0o666);
    await serve(path);
    expect(await modeOf(path)).toBe(0o600);
    expect(await say(path)).toBe('hello');
  });

  test('a socket that a process serves is left alone', async () => {
    const path = join(await temporaryDirectory(), 'agent.sock');
    await serve(path);
    await expectRefusal('ERR_AGENT_SOCKET_IN_USE', /another process serves/, path);
    expect(await say(path)).toBe('hello');
  });

  test('so is one whose process takes no connections at the moment', async () => {
    const path = join(await temporaryDirectory(), 'busy.sock');
    const busy = await listenElsewhere(path);
    busy.kill('SIGSTOP');
    // More than the kernel keeps for it: from then on a connection is refused, but not for want of a listener.
    const refusals = Array.from({ length: 8 }, async () => {
      const socket = connect(path);
      onTestFinished(() => void socket.destroy());
      return await once(socket, 'connect').then(
        () => '',
        (error: NodeJS.ErrnoException) => error.code,
      );
    });
    expect(await Promise.all(refusals)).toContain('EAGAIN');
    await expectRefusal('ERR_AGENT_SOCKET_IN_USE', /another process serves/, path);
    expect((await lstat(path)).isSocket()).toBe(true);
  });

  test.each([
    ['a file', (path: string) => writeFile(path, 'precious')],
    ['a directory', (path: string) => mkdir(path)],
    ['a link', (path: string) => symlink('/nowhere', path)],
  ])('%s is not removed', async (_, make) => {
    const path = join(await temporaryDirectory(), 'agent.sock');
    await make(path);
    const before = (await lstat(path)).ino;
    await expectRefusal('ERR_AGENT_SOCKET_PATH', /exists and is not a socket/, path);
    expect((await lstat(path)).ino).toBe(before);
  });
});

test('a path that does not fit into a socket address is refused before anything is touched', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'x'.repeat(108 - directory.length - 1));
  expect(Buffer.byteLength(path)).toBe(108);
  await expectRefusal('ERR_AGENT_SOCKET_PATH', /longer than 107 bytes: choose a shorter/, path);
  await serve(path.slice(0, 107));
});
