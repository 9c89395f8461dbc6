// What the sidecar of a mesh is made from, apart from the pod.

export interface SidecarRevision {
  /** A DNS label that names this version of the template and its settings, such as `1-40-0`. */
  readonly name: string;
  /** Stock Envoy, by digest: `registry/repository@sha256:…`. */
  readonly image: string;
}

export interface SidecarSettings {
  /** The first is injected; the others are still accepted, while replicas and pods change over. */
  readonly revisions: readonly [SidecarRevision, ...SidecarRevision[]];
}
