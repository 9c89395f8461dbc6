// The mesh that is pushed: services of ten endpoints each, every endpoint a meshed pod.

import {
  type Endpoint,
  type MeshState,
  type NamespacedName,
  namespacedName,
  type Service,
  type Workload,
} from '../../src/model/mesh.ts';
import type { MeshSettings } from '../../src/xds/translate/settings.ts';

export const serviceCount = 1_000;
const endpointsPerService = 10;
const namespace = 'shop';
const port = 8080;

export const benchSettings: MeshSettings = {
  trustDomain: 'mesh.internal',
  maxConnectionAgeMs: 24 * 60_000,
  denialReasons: 'shown',
};

export function benchMesh(): MeshState {
  const indices = Array.from({ length: serviceCount }, (_, index) => index);
  const workloads = indices.flatMap((service) =>
    Array.from({ length: endpointsPerService }, (_, pod) => workload(service, pod)),
  );
  return {
    trustDomain: benchSettings.trustDomain,
    rootNamespace: 'trellis-system',
    workloads: new Map(workloads.map((each) => [namespacedName(each), each])),
    services: new Map(indices.map(service).map((each) => [namespacedName(each), each])),
    policies: new Map(),
    quantumServices: new Map(),
  };
}

/** The pods whose proxies are the clients. */
export function clientNames(count: number): readonly NamespacedName[] {
  return Array.from({ length: count }, (_, index) =>
    podName(index % serviceCount, Math.floor(index / serviceCount)),
  );
}

/** The mesh after the first endpoint of one service has got another address; all other objects are the same. */
export function changedMesh(state: MeshState, number: number): MeshState {
  const name: NamespacedName = `${namespace}/${serviceName(number % serviceCount)}`;
  const before = state.services.get(name);
  if (before === undefined) throw new Error(`no service ${name}`);
  const address = `10.200.${Math.floor(number / 250)}.${(number % 250) + 1}`;
  const move = ([first, ...others]: readonly Endpoint[]) =>
    first === undefined ? others : [{ ...first, address }, ...others];
  const after = {
    ...before,
    ports: before.ports.map((each) => ({ ...each, endpoints: move(each.endpoints) })),
  };
  return { ...state, services: new Map(state.services).set(name, after) };
}

const serviceName = (service: number): string => `service-${String(service).padStart(4, '0')}`;

const podName = (service: number, pod: number): NamespacedName =>
  `${namespace}/${serviceName(service)}-${pod}`;

const podAddress = (service: number, pod: number): string =>
  `10.${100 + pod}.${Math.floor(service / 250)}.${(service % 250) + 1}`;

function workload(service: number, pod: number): Workload {
  return {
    namespace,
    name: `${serviceName(service)}-${pod}`,
    uid: `${service}-${pod}`,
    labels: { app: serviceName(service) },
    serviceAccount: serviceName(service),
    addresses: [podAddress(service, pod)],
    ports: [{ name: 'http', port, protocol: 'http' }],
    meshed: true,
  };
}

function service(index: number): Service {
  return {
    namespace,
    name: serviceName(index),
    labels: {},
    clusterIps: [`10.96.${Math.floor(index / 250)}.${(index % 250) + 1}`],
    ports: [
      {
        name: 'http',
        port: 80,
        protocol: 'http',
        endpoints: Array.from({ length: endpointsPerService }, (_, pod) => ({
          address: podAddress(index, pod),
          port,
          workload: podName(index, pod),
        })),
      },
    ],
  };
}
