// Calls into the mesh the way an application makes them: through the proxy of its own workload.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchHttp, type HttpAnswer, type HttpRequest } from './http.ts';
import type { DemoService } from './services.ts';

/** Where the outbound listener of every proxy is, on the workload's own address. */
export const outboundPort = 15001;

/** A call that the example's policies speak about. */
export interface Call {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
}

export function describeCall({ from, to, method, path }: Call): string {
  return `${from} → ${to} ${method} ${path}`;
}

/** Sends one request from one workload to a Service. */
export async function callService(
  from: Pick<DemoService, 'address'>,
  to: Pick<DemoService, 'name' | 'namespace' | 'port'>,
  request: Pick<HttpRequest, 'method' | 'path' | 'headers' | 'agent' | 'timeoutMs'>,
): Promise<HttpAnswer> {
  const headers = { ...request.headers, host: `${to.name}.${to.namespace}:${to.port}` };
  return await fetchHttp({ ...request, host: from.address, port: outboundPort, headers });
}

export interface TunnelAnswer {
  /** Status line and headers of the answer to CONNECT. */
  readonly head: string;
  readonly status: number;
  /** What came through the tunnel (or as the body of a refusal) before anything was sent. */
  readonly received: Buffer;
  /** What came back after `send`. */
  readonly echoed: Buffer;
}

/** A denied tunnel must stay silent for this long to count as silent. */
const listenMs = 500;
const tunnelTimeoutMs = 5000;

/** Opens a TCP tunnel to a Service (HTTP CONNECT), listens, then says something and listens again. */
export async function openTunnel(
  from: Pick<DemoService, 'address'>,
  to: Pick<DemoService, 'name' | 'namespace'>,
  port: number,
  send: string,
): Promise<TunnelAnswer> {
  const authority = `${to.name}.${to.namespace}:${port}`;
  const socket = connect({ host: from.address, port: outboundPort });
  let all = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    all = Buffer.concat([all, chunk]);
  });
  try {
    await connected(socket);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await until(() => all.includes('\r\n\r\n'), socket);
    const end = all.indexOf('\r\n\r\n') + 4;
    await sleep(listenMs);
    const received = all.subarray(end);
    const before = all.length;
    if (!socket.destroyed && socket.writable) {
      socket.write(send);
      await sleep(listenMs);
    }
    const head = all.subarray(0, end).toString('latin1');
    return { head, status: Number(head.split(' ')[1]), received, echoed: all.subarray(before) };
  } finally {
    socket.destroy();
  }
}

async function connected(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  // From here on an error is followed by `close`, which `until` sees.
  socket.on('error', () => {});
}

async function until(seen: () => boolean, socket: Socket): Promise<void> {
  const deadline = performance.now() + tunnelTimeoutMs;
  while (!seen()) {
    if (socket.destroyed) throw new Error('the connection was closed before an answer to CONNECT');
    if (performance.now() > deadline) throw new Error(`no answer to CONNECT within ${tunnelTimeoutMs} ms`);
    await sleep(5);
  }
}
