import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { parseClientHello, parseServerHello } from '../../../../src/cli/demo/hello.ts';

/** What OpenSSL sends first when it may use these groups and signatures. */
async function clientHello(groups: string, signatures = 'mldsa65'): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = once(server, 'connection');
  const client = connectTls({
    socket: connect(address.port, '127.0.0.1'),
    ecdhCurve: groups,
    sigalgs: signatures,
    minVersion: 'TLSv1.3',
  });
  client.on('error', () => {});
  const [socket] = await accepted;
  let bytes = Buffer.alloc(0);
  while (parseClientHello(bytes) === undefined) {
    const [chunk] = await once(socket, 'data');
    bytes = Buffer.concat([bytes, chunk]);
  }
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

test('the groups and signatures that OpenSSL offers', async () => {
  expect(parseClientHello(await clientHello('X25519MLKEM768'))).toEqual({
    groups: [0x11ec],
    keyShares: [0x11ec],
    signatures: [0x0905],
  });
  expect(parseClientHello(await clientHello('X25519:P-256'))).toMatchObject({ groups: [0x1d, 0x17] });
  const signatures = 'ecdsa_secp256r1_sha256:mldsa65';
  expect(parseClientHello(await clientHello('X25519', signatures))?.signatures).toEqual([0x0403, 0x0905]);
});

test('a hello that is not all there yet is none', async () => {
  const whole = await clientHello('X25519MLKEM768');
  for (const length of [0, 1, 5, 9, 50, whole.length - 1]) {
    expect(parseClientHello(whole.subarray(0, length)), `${length} bytes`).toBeUndefined();
  }
});

/** A ServerHello record as RFC 8446 §4.1.3 lays it out. */
function serverHello(group: number, split?: number): Buffer {
  const number = (value: number, size: number): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntBE(value, 0, size);
    return bytes;
  };
  const vector = (content: Buffer, size: number): Buffer =>
    Buffer.concat([number(content.length, size), content]);
  const versions = Buffer.concat([number(43, 2), vector(number(0x0304, 2), 2)]);
  const keyShare = Buffer.concat([
    number(51, 2),
    vector(Buffer.concat([number(group, 2), vector(Buffer.alloc(32), 2)]), 2),
  ]);
  const body = Buffer.concat([
    number(0x0303, 2),
    Buffer.alloc(32),
    vector(Buffer.alloc(32), 1),
    number(0x1302, 2),
    number(0, 1),
    vector(Buffer.concat([versions, keyShare]), 2),
  ]);
  const message = Buffer.concat([number(2, 1), vector(body, 3)]);
  const record = (content: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 3]), vector(content, 2)]);
  if (split === undefined) return record(message);
  return Buffer.concat([record(message.subarray(0, split)), record(message.subarray(split))]);
}

test('the group that a server chooses, in one record or two', () => {
  expect(parseServerHello(serverHello(0x11ec))).toEqual({ groups: [], keyShares: [0x11ec], signatures: [] });
  expect(parseServerHello(serverHello(0x1d, 20))).toEqual({ groups: [], keyShares: [0x1d], signatures: [] });
});

test('what is something else', () => {
  expect(parseServerHello(Buffer.from('HTTP/1.1 200 OK\r\n'))).toBeUndefined();
  expect(parseClientHello(serverHello(0x11ec))).toBeUndefined();
});
