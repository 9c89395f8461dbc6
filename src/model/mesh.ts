// The mesh as plain data. Everything here is immutable and owes nothing to where it came from: a directory of
// manifests and the Kubernetes API yield the same MeshState.

import type { QuantumSecurityPolicySpec } from '../gen/crds/QuantumSecurityPolicy.ts';
import type { QuantumServiceSpec } from '../gen/crds/QuantumService.ts';

/** `<namespace>/<name>`: how namespaced objects are keyed and named in messages. */
export type NamespacedName = `${string}/${string}`;

/** The desired state of the whole mesh at one moment. */
export interface MeshState {
  /** SPIFFE trust domain, e.g. `cluster.local`. */
  readonly trustDomain: string;
  /** Policies in this namespace hold for the whole mesh. */
  readonly rootNamespace: string;
  readonly workloads: ReadonlyMap<NamespacedName, Workload>;
  readonly services: ReadonlyMap<NamespacedName, Service>;
  readonly policies: ReadonlyMap<NamespacedName, Policy>;
  readonly quantumServices: ReadonlyMap<NamespacedName, QuantumService>;
}

/** A running pod. */
export interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** Pod IPs, IPv4 or IPv6, primary first. */
  readonly addresses: readonly string[];
  /** TCP ports its containers declare or a Service targets, in ascending order. */
  readonly ports: readonly WorkloadPort[];
  /** True when the pod mounts the CSI volume through which its proxy gets its identity (driver `csi.trellis.quantum.io`). */
  readonly meshed: boolean;
}

export interface WorkloadPort {
  readonly name: string | undefined;
  readonly port: number;
  /** What the application speaks on this port, as the Services that target it say (`appProtocol`, else the port name); `tcp` when no Service says. */
  readonly protocol: AppProtocol;
}

/** `http` is HTTP/1.1, `http2` cleartext HTTP/2 (gRPC too), `tcp` opaque bytes. */
export type AppProtocol = 'http' | 'http2' | 'tcp';

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Virtual IPs; empty for headless services. */
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: AppProtocol;
  /** From the Service's EndpointSlices; ready ones only. */
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly address: string;
  /** The application's own port on that address. */
  readonly port: number;
  /** The pod behind the address, when the EndpointSlice names one that exists. */
  readonly workload: NamespacedName | undefined;
}

export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: QuantumSecurityPolicySpec;
  /** Set where it only stands in for one that cannot be used, and allows nothing: what is wrong with that one. */
  readonly unusable?: string;
}

export interface QuantumService {
  readonly namespace: string;
  readonly name: string;
  readonly spec: QuantumServiceSpec;
}

export function namespacedName(object: {
  readonly namespace: string;
  readonly name: string;
}): NamespacedName {
  return `${object.namespace}/${object.name}`;
}
