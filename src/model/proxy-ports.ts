// Ports of a pod that belong to its proxy.

/** The mesh listener: mutual TLS from other proxies, HTTP/2 only. */
export const inboundPort = 15008;
/** Where the application's outgoing calls enter the proxy. Whoever reaches it speaks with the workload's identity. */
export const outboundPort = 15001;

const first = 15_000;
const last = 15_099;

/**
 * The range is kept free of application ports: a Service that targeted one would lead peers through the mesh listener into
 * the proxy itself, to its outbound listener (and so to the workload's identity) or its admin interface.
 */
export function isProxyPort(port: number): boolean {
  return port >= first && port <= last;
}
