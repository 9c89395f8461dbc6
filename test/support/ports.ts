// Addresses and ports that no other test uses. Linux routes all of 127.0.0.0/8 to the loopback interface, so every test
// can have an address of its own, and on it every port is free.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const handedOut = new Set<string>();

/** A loopback address that no one else was given: one of sixteen million, drawn at random (test files run in parallel). */
export function loopbackAddress(): string {
  for (;;) {
    // 127.0.x.x is left to the machine's own services.
    const address = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    if (handedOut.has(address)) continue;
    handedOut.add(address);
    return address;
  }
}

/** A TCP port that was free a moment ago. On an address from `loopbackAddress` it stays free. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error(`no port on ${host}`);
  return address.port;
}
