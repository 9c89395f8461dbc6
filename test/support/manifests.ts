// The manifests of small meshes, as objects. One namespace, one trust domain, one pod per workload.

import { stringify } from 'yaml';
import type { QuantumSecurityPolicySpec } from '../../src/gen/crds/QuantumSecurityPolicy.ts';

export const trustDomain = 'cluster.local';
export const rootNamespace = 'trellis-system';
export const namespace = 'shop';

export type Manifest = Readonly<Record<string, unknown>>;

export interface PortManifest {
  /** Of the Service. */
  readonly port: number;
  /** Of the application. */
  readonly targetPort: number;
  readonly appProtocol: 'http' | 'http2' | 'tcp';
}

export interface WorkloadManifest {
  /** Of the pod, of its Service, and of its service account unless that is given. */
  readonly name: string;
  readonly serviceAccount?: string;
  readonly address: string;
  readonly ports?: readonly PortManifest[];
  /** Mounts the volume that makes a pod part of the mesh; true unless said otherwise. */
  readonly meshed?: boolean;
}

export function spiffeId(account: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
}

/** ServiceAccount, Pod, and for a workload with ports a Service and its EndpointSlice. */
export function workloadManifests(workload: WorkloadManifest): Manifest[] {
  const { name, serviceAccount = name, ports = [] } = workload;
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: serviceAccount, namespace } };
  const described = [account, podManifest(workload)];
  if (ports.length === 0) return described;
  return [...described, serviceManifest(name, ports), endpointsManifest(name, ports, [workload])];
}

function podManifest({
  name,
  serviceAccount = name,
  address,
  ports = [],
  meshed = true,
}: WorkloadManifest): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `uid-${name}`, labels: { app: name } },
    spec: {
      serviceAccountName: serviceAccount,
      containers: [
        {
          name: 'app',
          image: `shop/${name}`,
          ports: ports.map((port) => ({ containerPort: port.targetPort })),
        },
      ],
      volumes: meshed ? [{ name: 'trellis', csi: { driver: 'csi.trellis.quantum.io', readOnly: true } }] : [],
    },
    status: { phase: 'Running', podIP: address },
  };
}

const portName = ({ port, appProtocol }: PortManifest): string => `${appProtocol}-${port}`;

function serviceManifest(name: string, ports: readonly PortManifest[]): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      selector: { app: name },
      ports: ports.map(({ port, targetPort, appProtocol }) => ({
        name: portName({ port, targetPort, appProtocol }),
        port,
        targetPort,
        appProtocol,
      })),
    },
  };
}

/** Where a Service is, whatever its selector says. */
export function endpointsManifest(
  service: string,
  ports: readonly PortManifest[],
  endpoints: readonly { readonly name: string; readonly address: string }[],
): Manifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: ports.map((port) => ({ name: portName(port), port: port.targetPort, protocol: 'TCP' })),
    endpoints: endpoints.map(({ name, address }) => ({
      addresses: [address],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', name, namespace },
    })),
  };
}

/** The workload of a Service as it is, and other endpoints for that Service. */
export function withEndpoints(
  workload: WorkloadManifest & { readonly ports: readonly PortManifest[] },
  endpoints: Parameters<typeof endpointsManifest>[2],
): Manifest[] {
  return [
    ...workloadManifests(workload).filter(({ kind }) => kind !== 'EndpointSlice'),
    endpointsManifest(workload.name, workload.ports, endpoints),
  ];
}

/** A Service that nobody answers for. */
export function emptyService(name: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports: [{ name: 'http', port: 80, appProtocol: 'http' }] },
  };
}

export interface PolicyPlace {
  readonly namespace?: string;
  /** The workload it selects; absent: all of its namespace. */
  readonly app?: string;
}

export function policy(name: string, spec: QuantumSecurityPolicySpec, place: PolicyPlace = {}): Manifest {
  const selector = place.app === undefined ? {} : { selector: { matchLabels: { app: place.app } } };
  return {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { name, namespace: place.namespace ?? namespace },
    spec: { ...selector, ...spec },
  };
}

type Rule = NonNullable<QuantumSecurityPolicySpec['authorization']>[number];

/** A rule for callers by service account, or by pattern when it begins with `spiffe:` or is `*`. */
export function allow(accounts: readonly string[], to?: Rule['to']): Rule {
  const principals = accounts.map((each) =>
    each === '*' || each.startsWith('spiffe:') ? each : spiffeId(each),
  );
  return { from: [{ principals }], ...(to === undefined ? {} : { to }) };
}

export function toYaml(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n');
}
