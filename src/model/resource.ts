// One object of the desired state, parsed: what later steps may believe without looking again.

import type { QuantumSecurityPolicySpec } from '../gen/crds/QuantumSecurityPolicy.ts';
import type { QuantumServiceSpec } from '../gen/crds/QuantumService.ts';
import type { MeshKind } from './kinds.ts';

interface Named<K extends MeshKind> {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
}

type Labels = Readonly<Record<string, string>>;

/** What a resource takes from its metadata. */
export interface Identity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
}

export interface PodResource extends Named<'Pod'> {
  readonly uid: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly addresses: readonly string[];
  /** TCP only. */
  readonly containerPorts: readonly { readonly name: string | undefined; readonly port: number }[];
  readonly identityVolume: 'none' | 'read-only' | 'writable';
  readonly hostNetwork: boolean;
  /** Succeeded or failed: it will never serve again. */
  readonly ended: boolean;
}

export interface ServiceResource extends Named<'Service'> {
  readonly labels: Labels;
  readonly selector: Labels | undefined;
  readonly clusterIps: readonly string[];
  /** TCP only. */
  readonly ports: readonly ServicePortResource[];
}

export interface ServicePortResource {
  /** Empty for the only port of a Service that does not name it. */
  readonly name: string;
  readonly port: number;
  readonly targetPort: number | string;
  readonly appProtocol: string | undefined;
}

export interface EndpointSliceResource extends Named<'EndpointSlice'> {
  /** The Service in the same namespace that the slice belongs to. */
  readonly serviceName: string | undefined;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
}

export type ServiceAccountResource = Named<'ServiceAccount'>;

export interface QuantumServiceResource extends Named<'QuantumService'> {
  readonly spec: QuantumServiceSpec;
}

export interface PolicyResource extends Named<'QuantumSecurityPolicy'> {
  readonly spec: QuantumSecurityPolicySpec;
  /** See Policy. */
  readonly unusable?: string;
}

export type Resource =
  | PodResource
  | ServiceResource
  | EndpointSliceResource
  | ServiceAccountResource
  | QuantumServiceResource
  | PolicyResource;
