// The admission controller: policies and Secrets in, admission reviews answered. All replicas answer; the one that leads also keeps
// the serving certificate and looks at running pods again.

import { randomBytes } from 'node:crypto';
import type { MeshOptions } from '../../model/build.ts';
import type { CredentialSource } from '../../registry/auth/credentials.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { runElection } from '../../sources/kubernetes/lease/election.ts';
import { componentLogger, type Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Readiness } from '../../telemetry/readiness.ts';
import { clusterAdvice } from '../advice.ts';
import type { AdmissionContext } from '../context.ts';
import {
  createImageJudge,
  type ImageJudgeOptions,
  type OwnedImageJudge,
} from '../images/create-image-judge.ts';
import { kubeKeySources } from '../pull-credentials/kube-key-sources.ts';
import { kubePullCredentials } from '../pull-credentials/kube-pull-credentials.ts';
import { imageJudgeMetrics } from '../report/admission-metrics.ts';
import { createEventRecorder } from '../report/events.ts';
import { runPolicyStatus } from '../report/policy-status.ts';
import { runRecheck } from '../report/recheck.ts';
import { startWebhookServer } from '../server/server.ts';
import type { SidecarSettings } from '../sidecar/settings.ts';
import { createHandlers } from './handlers.ts';
import { watchPolicies } from './policies.ts';
import { seldom } from './seldom.ts';
import { type CertificateSettings, openServingCertificate } from './serving-certificate.ts';

export interface AdmissionControllerOptions {
  readonly client: KubeClient;
  readonly mesh: MeshOptions;
  /** Where we live: the Secret and the Lease are there. */
  readonly namespace: string;
  /** Of this replica; Events and the Lease say it. */
  readonly podName: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Through which API servers call. */
  readonly service: string;
  readonly certificate: CertificateSettings;
  /** PEM of those who vouch for API servers; undefined: everybody may ask. */
  readonly clientCa: string | undefined;
  readonly lease: string;
  readonly registry: NonNullable<ImageJudgeOptions['registry']>;
  /** Of the node, tried after the Secrets of the pod. */
  readonly credentials: CredentialSource | undefined;
  /** Where the SDKs of key management services find credentials and region. */
  readonly env: NodeJS.ProcessEnv;
  readonly cacheBytes: number;
  readonly sidecar: SidecarSettings | undefined;
  readonly recheckIntervalMs: number;
  /** What is in them is let through, and not looked at again. */
  readonly exemptNamespaces: ReadonlySet<string>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness<'policies' | 'certificate'>;
  readonly now: () => Date;
  /** Ends all of it but the server. */
  readonly signal: AbortSignal;
}

export interface AdmissionController {
  /** `host:port` */
  readonly address: string;
  /** Resolves when the policies are known: until then every question is answered with a refusal. Never rejects. */
  readonly ready: Promise<void>;
  /** To be called before metrics are read. */
  refreshMetrics(): void;
  /** Resolves when the last question is answered, or the time for it is over. */
  close(graceMs: number): Promise<void>;
}

/** Resolves when it answers; see `ready`. @throws WebhookServerError, CertificateError, RegistryError; the reason of `signal` */
export async function startAdmissionController(
  options: AdmissionControllerOptions,
): Promise<AdmissionController> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  // First of all, because it refuses options that cannot be meant: nobody should take a Lease with them.
  const judge = startJudge(options);
  const election = startElection({ ...options, signal });
  try {
    return await startServing({ ...options, signal }, judge, election);
  } catch (error) {
    // What has been started already would go on, and a Lease held by nobody keeps the others waiting.
    failure.abort(error);
    await Promise.all([election.ended, judge.close()]);
    throw error;
  }
}

function startJudge({ registry, client, env, cacheBytes, log, now }: AdmissionControllerOptions) {
  return createImageJudge({
    registry,
    keySources: kubeKeySources({ client, env }),
    limits: { maxCacheBytes: cacheBytes },
    // Reasons are read by whoever makes pods.
    withheld: (image, error) => log.warn({ err: error, image }, 'a key of a policy could not be had'),
    now,
  });
}

type Election = ReturnType<typeof runElection>;

function startElection({
  client,
  namespace,
  podName,
  lease,
  log,
  signal,
}: AdmissionControllerOptions): Election {
  return runElection({
    ...{ client, namespace, signal, name: lease, identity: podName },
    report: {
      leading: (leads) => log.info(leads ? 'this replica leads' : 'this replica leads no more'),
      failed: seldom(performance.now.bind(performance), (reason) =>
        log.warn(`the Lease cannot be read or written; it is tried again: ${reason}`),
      ),
    },
  });
}

async function startServing(
  options: AdmissionControllerOptions,
  judge: OwnedImageJudge,
  election: Election,
): Promise<AdmissionController> {
  const { client, namespace, podName, log, metrics, readiness, now, signal } = options;
  const isLeader = () => election.isLeader();
  readiness.notReady('certificate', 'there is none yet; the replica that leads makes it');
  const certificate = await openServingCertificate(options.certificate, {
    ...{ client, namespace, names: serviceNames(options), isLeader, metrics, signal },
    log: componentLogger(log, 'certificate'),
  });
  const policies = await watchPolicies({ ...options, log: componentLogger(log, 'policies') });
  const credentials = kubePullCredentials({ client, node: options.credentials, now });
  const context = (): AdmissionContext => ({
    policies: policies.current(),
    rootNamespace: options.mesh.rootNamespace,
    ...{ judge, credentials, sidecar: options.sidecar, advice: clusterAdvice },
  });
  const events = createEventRecorder({
    ...{ client, instance: podName, metrics, signal },
    failed: (error) => log.warn({ err: error }, 'an Event could not be written'),
    newName: () => `trellis.${randomBytes(8).toString('hex')}`,
  });
  const server = await startWebhookServer({
    ...options.listen,
    certificate: await certificate.ready,
    ...(options.clientCa !== undefined && { clientCa: options.clientCa }),
    ...createHandlers({ context, exemptNamespaces: options.exemptNamespaces, events, metrics, log }),
    report: {
      finished: (webhook, outcome) => metrics.webhookRequests.inc({ webhook, outcome }),
      failed: (webhook, error, reference) =>
        log.error({ err: error, webhook, reference }, 'a question could not be answered'),
      certificateRefused: (error) =>
        log.error({ err: error }, 'the new certificate cannot be served; the one before still is'),
    },
  });
  readiness.ready('certificate');
  const recheckLog = componentLogger(log, 'recheck');
  const recheck = runRecheck({
    ...{ client, context, isLeader, metrics, signal },
    exemptNamespaces: options.exemptNamespaces,
    intervalMs: options.recheckIntervalMs,
    report: {
      noReports: () =>
        recheckLog.info(
          'the cluster has neither Report (openreports.io) nor PolicyReport (wgpolicyk8s.io): findings about running pods are counted and logged only',
        ),
      failed: (inNamespace, error) =>
        recheckLog.warn({ err: error, namespace: inNamespace }, 'running pods could not be looked at'),
      completed: (pods) => recheckLog.info({ pods }, 'running pods were looked at again'),
    },
  });
  const status = runPolicyStatus({
    ...{ client, isLeader, signal, verdicts: policies.verdicts, usabilityOf: judge.usabilityOf },
    failed: (error) =>
      log.warn({ err: error }, 'the status of a policy could not be written; it is tried again'),
  });
  const takeOver = imageJudgeMetrics(metrics);
  return {
    address: server.address,
    ready: policies.ready,
    refreshMetrics: () => takeOver(judge.stats()),
    close: async (graceMs) => {
      await server.close(graceMs);
      await Promise.all([certificate.ended, recheck, status, election.ended]);
      await judge.close();
    },
  };
}

/** As API servers ask for it in the handshake, and what people may try. */
function serviceNames({ service, namespace }: AdmissionControllerOptions): readonly [string, ...string[]] {
  return [`${service}.${namespace}.svc`, `${service}.${namespace}`, service];
}
