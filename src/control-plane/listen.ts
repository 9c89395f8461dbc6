// Listening, with errors that say what to do.

import { once } from 'node:events';
import type { Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { defaultGrpcLimits } from '../grpc/limits.ts';
import { ControlPlaneError, type ControlPlaneErrorCode } from './errors.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/**
 * Connections that may wait to be accepted. After a restart all agents come at once, and the system resets those above this;
 * by Node's default that would be 511. The system may have a lower limit of its own (`net.core.somaxconn`).
 */
const maxWaiting = defaultGrpcLimits.maxSessions;

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
    server.listen({ host, port, backlog: maxWaiting });
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
