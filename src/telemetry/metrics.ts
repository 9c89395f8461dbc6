// Every metric of Trellis, by name. Names follow the Prometheus conventions: seconds, bytes, `_total` for counters.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { boundedCounter, boundedGauge, boundedHistogram } from './bounded.ts';

const xdsTypes = ['listener', 'route', 'cluster', 'endpoint', 'secret', 'authorization'] as const;

/** Why a check was not allowed; the compiler sees to it that none of authz' causes is missing. */
const authzCauses = [
  'none',
  'no-rule',
  'token-missing',
  'token-malformed',
  'token-unknown-key',
  'token-algorithm',
  'token-signature',
  'token-expired',
  'token-not-yet-valid',
  'token-lifetime',
  'token-audience',
  'token-subject',
  'token-type',
  'token-quarantined',
  'condition-false',
  'condition-error',
  'condition-cost',
  'duplicate-header',
  'invalid-header',
  'ambiguous-path',
  'input-too-large',
  'counter-signature-missing',
  'counter-signature-invalid',
  'policy-unknown',
  'request-malformed',
  'request-too-large',
  'internal',
] as const;

/** From a push that finds everything encoded to one that the design's one-second promise would not survive. */
const propagationBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics of this process, in a registry of their own, with those about the process itself. */
export function createMetrics(version: string) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  boundedGauge(registry, {
    name: 'trellis_build_info',
    help: 'Always 1; its label says which Trellis this is.',
    labels: { version: [version] },
  }).set({ version }, 1);

  return {
    registry,
    sourceUpdates: boundedCounter(registry, {
      name: 'trellis_source_updates_total',
      help: 'Changes of the desired state: applied, or rejected with the last good state kept.',
      labels: { result: ['applied', 'rejected'] },
    }),
    sourceObjects: boundedGauge(registry, {
      name: 'trellis_source_objects',
      help: 'Objects in the desired state.',
      labels: { kind: ['workload', 'service', 'policy', 'quantum_service'] },
    }),
    xdsStreams: boundedGauge(registry, {
      name: 'trellis_xds_streams',
      help: 'Open ADS streams, one a proxy.',
      labels: {},
    }),
    xdsAcknowledgements: boundedCounter(registry, {
      name: 'trellis_xds_acknowledgements_total',
      help: 'Responses that a proxy took (ACK).',
      labels: { type: xdsTypes },
    }),
    xdsRejections: boundedCounter(registry, {
      name: 'trellis_xds_rejections_total',
      help: 'Responses that a proxy refused (NACK).',
      labels: { type: xdsTypes },
    }),
    xdsPropagation: boundedHistogram(registry, {
      name: 'trellis_xds_propagation_seconds',
      help: 'From a change of the desired state to the acknowledgement of a proxy that it concerns.',
      labels: {},
      buckets: propagationBuckets,
    }),
    svidIssuance: boundedCounter(registry, {
      name: 'trellis_svid_issuance_total',
      help: 'Requests for an X.509 SVID, by outcome.',
      labels: { result: ['issued', 'denied', 'failed'] },
    }),
    tokensMinted: boundedCounter(registry, {
      name: 'trellis_tokens_minted_total',
      help: 'Requests for a token of a workload, by its type and the outcome.',
      labels: { type: ['ML-DSA', 'JWT-SVID', 'unknown'], result: ['issued', 'denied', 'failed'] },
    }),
    svidRenewals: boundedCounter(registry, {
      name: 'trellis_svid_renewals_total',
      help: 'Renewals of SVIDs by this agent, by outcome.',
      labels: { result: ['renewed', 'failed'] },
    }),
    svidExpiry: boundedGauge(registry, {
      name: 'trellis_svid_expiry_timestamp_seconds',
      help: 'When the first of the SVIDs this agent holds ends (Unix time).',
      labels: {},
    }),
    caExpiry: boundedGauge(registry, {
      name: 'trellis_ca_expiry_timestamp_seconds',
      help: 'When the CA certificate ends (Unix time).',
      labels: { certificate: ['root'] },
    }),
    authzDecisions: boundedCounter(registry, {
      name: 'trellis_authz_decisions_total',
      help: 'What Envoy asked the agent about, by outcome and why it was not allowed.',
      labels: { result: ['allowed', 'denied', 'failed'], cause: authzCauses },
    }),
    controlPlaneConnected: boundedGauge(registry, {
      name: 'trellis_agent_control_plane_connected',
      help: '1 while this agent has its connection to the control plane.',
      labels: {},
    }),
  };
}
