// Which kinds are read from the API server, and where they are.

import type { MeshKind } from '../../../model/kinds.ts';

export interface ResourceType {
  readonly kind: MeshKind;
  readonly apiVersion: string;
  /** Of all namespaces. */
  readonly path: string;
}

const core = (kind: MeshKind, plural: string): ResourceType => ({
  kind,
  apiVersion: 'v1',
  path: `/api/v1/${plural}`,
});
const grouped = (kind: MeshKind, apiVersion: string, plural: string): ResourceType => ({
  kind,
  apiVersion,
  path: `/apis/${apiVersion}/${plural}`,
});

/** All that a MeshState is made of. */
export const resourceTypes: readonly ResourceType[] = [
  core('Pod', 'pods'),
  core('Service', 'services'),
  core('ServiceAccount', 'serviceaccounts'),
  grouped('EndpointSlice', 'discovery.k8s.io/v1', 'endpointslices'),
  grouped('QuantumService', 'quantum.io/v1', 'quantumservices'),
  grouped('QuantumSecurityPolicy', 'security.quantum.io/v1', 'quantumsecuritypolicies'),
];
