// Who loses a connection when there are too many, with addresses that this machine does not have.

import { EventEmitter } from 'node:events';
import { Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connections } from '../../../../src/admission/server/connections.ts';

let lastPort = 0;

/** What a socket is to those who count it. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly localAddress = '192.0.2.254';
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;

  constructor(remoteAddress: string | undefined, remotePort = ++lastPort) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  /** Others learn of it later, as with a real one. */
  destroy(): void {
    this.destroyed = true;
  }
}

function open(maxConnections: number, maxConnectionsPerAddress = maxConnections) {
  const server = new Server();
  const connections = new Connections(server, { maxConnections, maxConnectionsPerAddress });
  return {
    connections,
    connect: (address: string | undefined, port?: number): FakeSocket => {
      const socket = new FakeSocket(address, port);
      server.emit('connection', socket as unknown as Socket);
      return socket;
    },
    prove: (socket: FakeSocket) => connections.prove(socket as unknown as Socket),
    use: (socket: FakeSocket) => connections.use(socket as unknown as Socket),
  };
}

const api = '198.51.100.1';

/** Attackers with k addresses, who open connections, ask on some, and close some. */
const attack = fc.record({
  k: fc.integer({ min: 1, max: 6 }),
  maxConnections: fc.integer({ min: 8, max: 40 }),
  steps: fc.array(
    fc.record({ what: fc.constantFrom('open', 'open', 'prove', 'close'), which: fc.nat(10_000) }),
    { maxLength: 200, size: 'max' },
  ),
  /** When an API server comes. */
  when: fc.nat(200),
});

describe('among k others', () => {
  test.each([
    ['that were answered', true],
    ['that are about to ask', false],
  ])('nobody loses one of k + 1 parts of half of all, of those %s', (_which, proven) => {
    fc.assert(
      fc.property(attack, ({ k, maxConnections, steps, when }) => {
        const { connections, connect, prove } = open(maxConnections);
        const sockets: FakeSocket[] = [];
        const own: FakeSocket[] = [];
        const run = (part: typeof steps): void => {
          for (const { what, which } of part) {
            const socket = sockets[which % sockets.length];
            if (what === 'open') sockets.push(connect(`192.0.2.${which % k}`));
            else if (what === 'prove' && socket !== undefined) prove(socket);
            else socket?.emit('close');
            expect(connections.count).toBeLessThanOrEqual(maxConnections);
          }
        };
        run(steps.slice(0, when));
        for (let one = 0; one < Math.floor(maxConnections / 2 / (k + 1)); one++) {
          const socket = connect(api);
          if (proven) prove(socket);
          own.push(socket);
        }
        run(steps.slice(when));
        expect(own.filter(({ destroyed }) => destroyed)).toEqual([]);
      }),
    );
  });
});

test('the addresses of one host are one', () => {
  const { connect } = open(4);
  const two = [connect(api), connect(api)];
  // One of each of its addresses, and still it is the one that has the most.
  const many = [1, 2, 3, 4].map((one) => connect(`2001:db8::${one}`));
  expect([...two, ...many].map(({ destroyed }) => destroyed)).toEqual([
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
});

test('an address has its own limit, also where it comes as IPv6', () => {
  const { connect } = open(8, 2);
  const sockets = [connect('192.0.2.1'), connect('::ffff:192.0.2.1'), connect('192.0.2.1')];
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
});

test('where all are in use, it is the newcomer who goes', () => {
  const { connect, use } = open(2);
  const used = [connect('192.0.2.1'), connect('192.0.2.1')];
  const over = used.map((socket) => use(socket));
  expect(connect(api).destroyed).toBe(true);
  over[1]?.();
  expect([connect(api), ...used].map(({ destroyed }) => destroyed)).toEqual([false, false, true]);
});

test('one that was reset before it was accepted takes no place, and the place of no other', () => {
  const { connect, connections } = open(2);
  const gone = [connect(undefined), connect(undefined), connect(undefined)];
  expect(gone.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  for (const socket of gone) socket.emit('close');
  expect(connections.count).toBe(0);
});

test('a port that is used again before the end of the first is known counts once', () => {
  const { connect, connections } = open(2);
  const [first, again] = [connect(api, 1), connect(api, 1)];
  first.emit('close');
  expect(connections.count).toBe(1);
  const other = connect('192.0.2.1');
  expect(connections.count).toBe(2);
  for (const socket of [again, other]) socket.emit('close');
  expect(connections.count).toBe(0);
  // Nothing of the first is left that could go instead of one that is there.
  const sockets = [connect(api), connect('192.0.2.1'), connect('192.0.2.1')];
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, true, false]);
});
