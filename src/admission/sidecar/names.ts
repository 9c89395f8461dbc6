// What the parts of the sidecar are called, and where they stand in its container.

/** The container. */
export const sidecarName = 'trellis-proxy';

/** User and group of the sidecar. Traffic of this user is not captured, so no other process may have it. */
export const proxyUid = 1337;

/** The volume with the agent's socket. */
export const agentVolume = 'trellis-agent';
export const agentDirectory = '/run/trellis';

/** The volume with the pipe of Envoy's admin interface, which can end the proxy and dump its configuration. */
export const proxyVolume = 'trellis-proxy';
export const proxyDirectory = '/run/trellis-proxy';

/** Where the API server's ServiceAccount plugin mounts the token of a pod's account into each container. */
export const tokenDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** No other volume of a pod may have these names. */
export const sidecarVolumes: readonly string[] = [agentVolume, proxyVolume];
