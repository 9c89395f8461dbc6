// Names on which the control plane, the agent and the configuration they give to Envoy must agree.

/** Secrets that the agent serves over SDS; the names SPIRE uses. */
export const svidSecretName = 'default';
export const trustBundleSecretName = 'ROOTCA';
/** The same anchors in the form for listeners that ask for no certificate. */
export const optionalTrustBundleSecretName = 'ROOTCA-OPTIONAL';

/** The static cluster of Envoy's bootstrap that is the agent's socket. */
export const agentClusterName = 'trellis-config';

/** gRPC methods of Envoy's discovery services, in their delta variants. */
export const adsPath = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
export const sdsPath = '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets';

/** `<namespace>/<pod>`: which workload a relayed discovery stream is for. Set by the agent; what a proxy says is dropped. */
export const workloadHeader = 'x-trellis-workload';
