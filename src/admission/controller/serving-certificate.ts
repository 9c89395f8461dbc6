// The certificate that API servers are shown: made and renewed by the replica that leads, or somebody else's.

import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type FileWarning, watchCertificateFiles } from '../certificate/files.ts';
import { keepServingCertificate } from '../certificate/keep.ts';
import type { ServingSource } from '../certificate/serving-pair.ts';

export type CertificateSettings =
  | {
      readonly mode: 'managed';
      /** Name of the Secret. */
      readonly secret: string;
      /** Name of both webhook configurations. */
      readonly configuration: string;
    }
  /** PEM files, never written. */
  | { readonly mode: 'files'; readonly certificate: string; readonly key: string };

export interface ServingCertificateOptions {
  readonly client: KubeClient;
  /** Ours. */
  readonly namespace: string;
  /** DNS names by which API servers call: first the one that they ask for when they call through the Service. */
  readonly names: readonly [string, ...string[]];
  readonly isLeader: () => boolean;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'servingCertificateExpiry'>;
  readonly signal: AbortSignal;
}

export interface ServingCertificate {
  /** Rejects when there is none to begin with (files), or when `signal` is aborted before there is one. */
  readonly ready: Promise<ServingSource>;
  readonly ended: Promise<void>;
}

export async function openServingCertificate(
  settings: CertificateSettings,
  { client, namespace, names, isLeader, log, metrics, signal }: ServingCertificateOptions,
): Promise<ServingCertificate> {
  const expiry = (certificate: 'leaf' | 'ca', notAfter: Date): void =>
    metrics.servingCertificateExpiry.set({ certificate }, notAfter.getTime() / 1_000);
  if (settings.mode === 'managed') {
    const { secret, configuration } = settings;
    return keepServingCertificate({
      ...{ client, namespace, secret, configuration, names, isLeader, signal },
      report: {
        step: (step) => log.info({ step }, 'the serving certificate has changed'),
        trusted: (path) => log.info({ path }, 'API servers are told which CA to trust'),
        failed: (error) =>
          log.error({ err: error }, 'the serving certificate could not be kept; it is tried again'),
        recovered: () => log.info('the serving certificate can be kept again'),
        expiry,
      },
    });
  }
  const warned = new Map<FileWarning['kind'], string>();
  const { certificate, key } = settings;
  const files = await watchCertificateFiles({
    ...{ certificate, key, serviceName: names[0], signal },
    report: {
      failed: (error) =>
        log.error({ err: error }, 'the new certificate cannot be served; the one before still is'),
      warning: ({ kind, message }) => {
        // Every round says it again.
        if (warned.get(kind) === message) return;
        warned.set(kind, message);
        // Whether they call through the Service is not known here.
        log[kind === 'wrong-name' ? 'warn' : 'error'](message);
      },
      changed: () => log.info('another certificate is served'),
      expiry,
    },
  });
  return { ready: Promise.resolve(files.source), ended: files.ended };
}
