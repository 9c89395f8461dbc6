// Kubernetes' own kinds, from what the API means to what the mesh needs.

import { isIP } from 'node:net';
import type { EndpointSliceManifest, PodManifest, ServiceManifest } from './core-kinds.ts';
import type { EndpointSliceResource, Identity, PodResource, ServiceResource } from './resource.ts';

/** The CSI driver of the node agent. A pod that mounts its volume is in the mesh. */
export const identityDriver = 'csi.trellis.quantum.io';

/** The label with which an EndpointSlice names its Service (discovery.k8s.io/v1). */
const serviceNameLabel = 'kubernetes.io/service-name';

const isTcp = (port: { readonly protocol?: string | null | undefined }) => (port.protocol ?? 'TCP') === 'TCP';

export function readPod(
  { namespace, name, uid, labels }: Identity,
  { spec, status }: PodManifest,
): PodResource {
  const phase = status?.phase ?? '';
  return {
    kind: 'Pod',
    namespace,
    name,
    uid,
    labels,
    serviceAccount: spec.serviceAccountName ?? 'default',
    addresses: podAddresses(status),
    containerPorts: containerPorts(spec),
    identityVolume: identityVolume(spec),
    hostNetwork: spec.hostNetwork ?? false,
    ended: phase === 'Succeeded' || phase === 'Failed',
  };
}

function podAddresses(status: PodManifest['status']): readonly string[] {
  const listed = (status?.podIPs ?? []).map((entry) => entry.ip);
  return [...new Set([status?.podIP ?? '', ...listed])].filter((address) => address !== '');
}

function containerPorts(spec: PodManifest['spec']): PodResource['containerPorts'] {
  // An init container that restarts is a sidecar and stays; the others are gone when the pod serves.
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  const byNumber = new Map<number, { name: string | undefined; port: number }>();
  for (const container of [...(spec.containers ?? []), ...sidecars]) {
    for (const port of (container.ports ?? []).filter(isTcp)) {
      const name = port.name ?? byNumber.get(port.containerPort)?.name;
      byNumber.set(port.containerPort, { name, port: port.containerPort });
    }
  }
  return [...byNumber.values()].sort((a, b) => a.port - b.port);
}

function identityVolume(spec: PodManifest['spec']): PodResource['identityVolume'] {
  const volumes = (spec.volumes ?? []).filter((volume) => volume.csi?.driver === identityDriver);
  if (volumes.length === 0) return 'none';
  return volumes.every((volume) => volume.csi?.readOnly === true) ? 'read-only' : 'writable';
}

export function readService(
  { namespace, name, labels }: Identity,
  { spec }: ServiceManifest,
): ServiceResource {
  const addresses = [...new Set([spec.clusterIP ?? '', ...(spec.clusterIPs ?? [])])];
  return {
    kind: 'Service',
    namespace,
    name,
    labels,
    // An empty selector selects nothing in a Service, unlike in a policy.
    selector: Object.keys(spec.selector ?? {}).length === 0 ? undefined : (spec.selector ?? undefined),
    clusterIps: addresses.filter((address) => isIP(address) !== 0),
    ports: (spec.ports ?? []).filter(isTcp).map((port) => ({
      name: port.name ?? '',
      port: port.port,
      targetPort: port.targetPort ?? port.port,
      appProtocol: port.appProtocol ?? undefined,
    })),
  };
}

export function readEndpointSlice(
  { namespace, name, labels }: Identity,
  { addressType, endpoints, ports }: EndpointSliceManifest,
): EndpointSliceResource {
  return {
    kind: 'EndpointSlice',
    namespace,
    name,
    serviceName: labels[serviceNameLabel],
    addressType,
    // A slice port without a number means "any", which only headless Services without ports have.
    ports: (ports ?? [])
      .filter(isTcp)
      .flatMap(({ name: portName, port }) => (port == null ? [] : [{ name: portName ?? '', port }])),
    endpoints: (endpoints ?? []).map((endpoint) => ({
      address: endpoint.addresses[0] ?? '',
      // Unknown counts as ready (discovery.k8s.io/v1 EndpointConditions).
      ready: endpoint.conditions?.ready ?? true,
      pod: podOf(endpoint.targetRef, namespace),
    })),
  };
}

function podOf(
  reference: NonNullable<EndpointSliceManifest['endpoints']>[number]['targetRef'],
  namespace: string,
): { namespace: string; name: string } | undefined {
  if (reference?.kind !== 'Pod' || reference.name == null) return undefined;
  return { namespace: reference.namespace ?? namespace, name: reference.name };
}
