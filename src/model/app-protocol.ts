// What an application speaks on a port, from how its Service says it.

import type { AppProtocol } from './mesh.ts';

/** `kubernetes.io/…` and plain IANA names, as Service.spec.ports[].appProtocol defines them. WebSocket starts as HTTP/1.1. */
const byAppProtocol: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', 'http'],
  ['kubernetes.io/ws', 'http'],
  ['grpc-web', 'http'],
  ['kubernetes.io/h2c', 'http2'],
  ['h2c', 'http2'],
  ['http2', 'http2'],
  ['grpc', 'http2'],
  ['tcp', 'tcp'],
]);

/** What the name of a port says before its first dash: the older convention, which port names still follow. */
const byNamePrefix: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', 'http'],
  ['http2', 'http2'],
  ['h2c', 'http2'],
  ['grpc', 'http2'],
  ['tcp', 'tcp'],
]);

/**
 * What a Service port says about its protocol; undefined when it says nothing. An appProtocol that is not known (`https`,
 * `mongo`) is still a statement: opaque bytes.
 */
export function statedProtocol(
  portName: string,
  appProtocols: readonly (string | undefined)[],
): AppProtocol | undefined {
  const stated = appProtocols.find((appProtocol) => appProtocol !== undefined);
  if (stated !== undefined) return byAppProtocol.get(stated.toLowerCase()) ?? 'tcp';
  if (portName === 'grpc-web' || portName.startsWith('grpc-web-')) return 'http';
  return byNamePrefix.get(portName.split('-', 1)[0] ?? '');
}
