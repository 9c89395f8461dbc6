// Listening, with errors that say what to do.

import { once } from 'node:events';
import type { Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { ControlPlaneError, type ControlPlaneErrorCode } from './errors.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

const known: Readonly<Record<string, readonly [ControlPlaneErrorCode, string]>> = {
  EADDRINUSE: [
    'ERR_LISTEN_ADDRESS_IN_USE',
    'is in use by another process: stop that one, or choose another with --listen',
  ],
  EADDRNOTAVAIL: [
    'ERR_LISTEN_ADDRESS_UNAVAILABLE',
    'is not an address of this machine: choose one that is with --listen',
  ],
  ENOTFOUND: [
    'ERR_LISTEN_ADDRESS_UNAVAILABLE',
    'is not an address of this machine: choose one that is with --listen',
  ],
  EACCES: [
    'ERR_LISTEN_ADDRESS_FORBIDDEN',
    'may not be listened on by this user: choose a port from 1024 up with --listen',
  ],
};

/** @throws ControlPlaneError */
export async function listen(
  server: Http2SecureServer,
  { host, port }: ListenAddress,
): Promise<ListenAddress> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const [code, advice] = known[(error as NodeJS.ErrnoException).code ?? ''] ?? [];
    if (code === undefined) throw error;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    throw new ControlPlaneError(code, `control plane: ${address} ${advice}`, { cause: error });
  }
  const bound = server.address() as AddressInfo;
  return { host: bound.address, port: bound.port };
}
