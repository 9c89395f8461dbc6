// What is sent to a registry, counted on the way there.

import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountingProxy {
  /** `127.0.0.1:port`, in place of the registry's. */
  readonly host: string;
  /** Requests so far. */
  count(): number;
  close(): void;
}

/** @param host of a registry without TLS */
export async function startCountingProxy(host: string): Promise<CountingProxy> {
  let count = 0;
  const agent = new Agent({ keepAlive: true });
  const proxy = createServer((incoming, outgoing) => {
    count += 1;
    const { method = 'GET', headers, url } = incoming;
    const forwarded = request(`http://${host}${url}`, { method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    count: () => count,
    close: () => {
      proxy.closeAllConnections();
      proxy.close();
      agent.destroy();
    },
  };
}
