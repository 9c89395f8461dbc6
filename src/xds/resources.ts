// What a proxy is told, encoded: resources, sets of them, and where they come from.

/** The resource types, by what they are. */
export const typeUrls = {
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  /** Served by the agent alone; no secret passes through the control plane. */
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  /** For the agent of the workload, not for its proxy. */
  authorization: 'type.googleapis.com/trellis.authz.v1.WorkloadAuthorization',
} as const;

export type TypeUrl = (typeof typeUrls)[keyof typeof typeUrls];

const known: ReadonlySet<string> = new Set(Object.values(typeUrls));

export function isTypeUrl(value: string): value is TypeUrl {
  return known.has(value);
}

/** One resource, encoded once and shared by every proxy that receives it. */
export interface EncodedResource {
  readonly typeUrl: TypeUrl;
  readonly name: string;
  /** A hash of the content: equal versions are equal resources. */
  readonly version: string;
  /** One entry of DeltaDiscoveryResponse.resources, its tag and length included: a response is a concatenation of these. */
  readonly bytes: Uint8Array;
  /** Of a cluster, the name under which it finds its endpoints by EDS, if it does. */
  readonly endpoints?: string;
}

/** The resources of one type, by name. */
export type ResourceMap = ReadonlyMap<string, EncodedResource>;

/** An immutable set of resources that many proxies may share by reference. */
export interface Layer {
  readonly byType: ReadonlyMap<TypeUrl, ResourceMap>;
}

/** What one proxy may see: the mesh-wide part, the same object for every proxy, and its own. Names never clash between the two. */
export interface Snapshot {
  readonly shared: Layer;
  readonly own: Layer;
}

export interface SnapshotSource {
  current(): Snapshot;
  /** Calls back after every change; returns the unsubscribe. */
  onChange(listener: () => void): () => void;
}
