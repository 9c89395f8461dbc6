// Names on which the control plane, the agent and the configuration they give to Envoy must agree.

/** Secrets that the agent serves over SDS; the names SPIRE uses. */
export const svidSecretName = 'default';
export const trustBundleSecretName = 'ROOTCA';
/** The same anchors in the form for listeners that ask for no certificate. */
export const optionalTrustBundleSecretName = 'ROOTCA-OPTIONAL';

/** The static cluster of Envoy's bootstrap that is the agent's socket. */
export const agentClusterName = 'trellis-config';
/** The same socket again, for authorization: waiting for the one must not hold up the other. */
export const authzClusterName = 'trellis-authz';

/** gRPC methods of Envoy's discovery services, in their delta variants. */
export const adsPath = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
export const sdsPath = '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets';

/** Envoy's external authorization service. */
export const checkPath = '/envoy.service.auth.v3.Authorization/Check';
/** In `context_extensions` of a check: the application's own port that the request is for. */
export const portExtension = 'port';
/** In the dynamic metadata of a check's answer: why it was denied, and why policies in `warn` or `audit` would have. */
export const deniedKey = 'denied';
export const auditKey = 'audit';

/** In which the caller is told why its request was denied, where the mesh shows reasons. */
export const deniedHeader = 'x-trellis-denied';

/** The agent's own discovery service, in the delta variant; see proto/trellis/authz. */
export const authorizationDiscoveryPath =
  '/trellis.authz.v1.AuthorizationDiscoveryService/DeltaAuthorization';

/** The name of the one resource in which an agent learns how its workload authorizes requests. */
export const authorizationName = 'authorization';

/** `<namespace>/<pod>`: which workload a relayed discovery stream is for. Set by the agent; what a proxy says is dropped. */
export const workloadHeader = 'x-trellis-workload';
