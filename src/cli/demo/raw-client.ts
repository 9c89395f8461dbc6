// A client that speaks no TLS.

import { connect } from 'node:net';

const timeoutMs = 3000;

export interface RawAnswer {
  /** How it ended. `silent`: the connection was still open and nothing had come. */
  readonly end: 'closed' | 'silent' | 'not connected';
  readonly received: Buffer;
}

/** Sends bytes and collects what comes back until the server closes the connection, answers, or time is up. */
export function sendRaw(host: string, port: number, bytes: string): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let connected = false;
    const socket = connect({ host, port });
    const finish = (end: RawAnswer['end']): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ end, received });
    };
    const timer = setTimeout(() => finish('silent'), timeoutMs);
    socket.on('connect', () => {
      connected = true;
      socket.write(bytes);
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.includes('\r\n\r\n')) finish('closed');
    });
    // Followed by `close`.
    socket.on('error', () => {});
    socket.on('close', () => finish(connected ? 'closed' : 'not connected'));
  });
}
