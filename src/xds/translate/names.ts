// Names that the generated resources use to refer to each other, and the ports of a proxy.

import type { Service, ServicePort } from '../../model/mesh.ts';

/** DNS suffix of Services. */
const clusterDomain = 'svc.cluster.local';

export const inboundListener = 'inbound';
export const outboundListener = 'outbound';

/**
 * Server name in the TLS handshake between two proxies: the application port that the connection is for. It picks the
 * filter chain and nothing else; whether the peer may use that port is decided from its certificate.
 */
export function meshServerName(port: number): string {
  return `port-${port}.mesh.trellis.internal`;
}

export function inboundCluster(port: number): string {
  return `inbound|${port}`;
}

export function inboundRouteConfig(port: number): string {
  return `inbound|${port}`;
}

export function outboundRouteConfig(namespace: string): string {
  return `outbound|${namespace}`;
}

/** Cluster and endpoint set of a Service port reached through the mesh. */
export function outboundCluster(service: Service, port: ServicePort): string {
  return `outbound|${port.port}|${serviceHost(service)}`;
}

/** Cluster and endpoint set of a Service port outside the mesh. */
export function plaintextCluster(service: Service, port: ServicePort): string {
  return `plaintext|${port.port}|${serviceHost(service)}`;
}

export function serviceHost(service: { readonly name: string; readonly namespace: string }): string {
  return `${service.name}.${service.namespace}.${clusterDomain}`;
}

/** Every name a client in `clientNamespace` may call the service by: what the pod's DNS search path would resolve. */
export function serviceHostnames(service: Service, clientNamespace: string): readonly string[] {
  const { name, namespace } = service;
  const names = [serviceHost(service), `${name}.${namespace}.svc`, `${name}.${namespace}`];
  if (namespace === clientNamespace) names.push(name);
  return [...names, ...service.clusterIps.map((ip) => (ip.includes(':') ? `[${ip}]` : ip))];
}
