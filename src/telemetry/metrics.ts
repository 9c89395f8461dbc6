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

/** What admission judges, of which the compiler sees to it that none is missing; everything else is one of `other`. */
const admittedKinds = [
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'CronJob',
  'other',
] as const;

/** The compiler sees to it that none of admission's codes is missing. */
const findingCodes = [
  'image-invalid',
  'image-not-digest',
  'image-not-qualified',
  'image-denied',
  'image-not-verified',
  'image-revoked',
  'image-not-found',
  'image-unknown',
  'policy-unusable',
  'sidecar-missing',
  'sidecar-altered',
  'identity-exposed',
  'host-network',
  'host-processes',
  'shared-processes',
  'privileged',
  'capability',
  'proxy-uid',
  'unprotected-port',
  'policy-conflict',
  'compliance-not-enforceable',
] as const;

/** From an image that is known to the longest that an API server waits. */
const admissionBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

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
    ...admissionMetrics(registry),
  };
}

function admissionMetrics(registry: Registry) {
  return {
    admissionRequests: boundedCounter(registry, {
      name: 'trellis_admission_requests_total',
      help: 'What API servers asked, by outcome; exempt is what was let through because of its namespace, failed what could not be judged, and was refused.',
      labels: {
        webhook: ['validate', 'mutate'],
        kind: admittedKinds,
        result: ['allowed', 'denied', 'unchanged', 'patched', 'exempt', 'failed'],
      },
    }),
    webhookRequests: boundedCounter(registry, {
      name: 'trellis_webhook_requests_total',
      help: 'HTTP requests of API servers: answered, refused (no review, too large), overloaded (too much under way), timed-out, failed (a defect), or abandoned by the API server.',
      labels: {
        webhook: ['validate', 'mutate'],
        outcome: ['answered', 'refused', 'overloaded', 'timed-out', 'failed', 'abandoned'],
      },
    }),
    admissionDuration: boundedHistogram(registry, {
      name: 'trellis_admission_duration_seconds',
      help: 'From the question of an API server to the answer.',
      labels: { webhook: ['validate', 'mutate'] },
      buckets: admissionBuckets,
    }),
    admissionFindings: boundedCounter(registry, {
      name: 'trellis_admission_findings_total',
      help: 'What policies do not allow, in objects that were asked about.',
      labels: { code: findingCodes, enforcement: ['enforce', 'warn', 'audit'] },
    }),
    admissionImages: boundedCounter(registry, {
      name: 'trellis_admission_images_total',
      help: 'Images in objects that were asked about, by how they came off.',
      labels: { decision: ['verified', 'allowed', 'denied', 'no-policy', 'unknown', 'invalid'] },
    }),
    imageCacheHits: boundedCounter(registry, {
      name: 'trellis_image_cache_hits_total',
      help: 'Images whose signatures had been looked at before.',
      labels: {},
    }),
    imageCacheMisses: boundedCounter(registry, {
      name: 'trellis_image_cache_misses_total',
      help: 'Images whose signatures had to be fetched.',
      labels: {},
    }),
    imageCacheBytes: boundedGauge(registry, {
      name: 'trellis_image_cache_bytes',
      help: 'Memory that is kept for images that were looked at.',
      labels: {},
    }),
    imageCacheEntries: boundedGauge(registry, {
      name: 'trellis_image_cache_entries',
      help: 'Images that are remembered.',
      labels: {},
    }),
    imageLooks: boundedGauge(registry, {
      name: 'trellis_image_looks_under_way',
      help: 'Images whose signatures are being looked at, those that wait for their turn included.',
      labels: {},
    }),
    registryRequests: boundedCounter(registry, {
      name: 'trellis_registry_requests_total',
      help: 'HTTP requests sent to registries.',
      labels: {},
    }),
    servingCertificateExpiry: boundedGauge(registry, {
      name: 'trellis_serving_certificate_expiry_timestamp_seconds',
      help: 'When the certificate that API servers are shown, and the one that signed it, end (Unix time).',
      labels: { certificate: ['leaf', 'ca'] },
    }),
    admissionEvents: boundedCounter(registry, {
      name: 'trellis_admission_events_total',
      help: 'Events about what was denied or found: sent, counted with one of before (repeated), left out because there were too many (dropped), or refused by the API server (failed).',
      labels: { result: ['sent', 'repeated', 'dropped', 'failed'] },
    }),
    recheckRounds: boundedCounter(registry, {
      name: 'trellis_admission_recheck_rounds_total',
      help: 'Rounds in which all running pods were judged again; abandoned is one that another replica has to do.',
      labels: { result: ['completed', 'failed', 'abandoned'] },
    }),
    recheckLastCompleted: boundedGauge(registry, {
      name: 'trellis_admission_recheck_last_completed_timestamp_seconds',
      help: 'When the last round through all running pods was completed by this replica (Unix time).',
      labels: {},
    }),
    recheckPods: boundedGauge(registry, {
      name: 'trellis_admission_recheck_pods',
      help: 'Running pods by how they came off in the last round of this replica, by the worst that was found.',
      labels: { result: ['pass', 'fail', 'warn', 'error', 'skip'] },
    }),
    recheckImages: boundedCounter(registry, {
      name: 'trellis_admission_recheck_images_total',
      help: 'Images of running pods that were judged again, by how they came off.',
      labels: { decision: ['verified', 'allowed', 'denied', 'no-policy', 'unknown', 'invalid'] },
    }),
    recheckReports: boundedCounter(registry, {
      name: 'trellis_admission_recheck_reports_total',
      help: 'Reports of namespaces after a round: written, found to be right already, deleted, or not to be written.',
      labels: { result: ['written', 'unchanged', 'deleted', 'failed'] },
    }),
  };
}
