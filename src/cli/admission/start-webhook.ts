// From the options of `trellis webhook` to a controller that serves.

import { startAdmissionController } from '../../admission/controller/controller.ts';
import type { CertificateSettings } from '../../admission/controller/serving-certificate.ts';
import type { SidecarSettings } from '../../admission/sidecar/settings.ts';
import { createMeshManifestParser } from '../../policy/manifest-parser.ts';
import { dnsResolve } from '../../registry/http/dns-resolve.ts';
import { readCustomResourceDefinitions } from '../../sources/crds.ts';
import { createKubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { defaultLimits } from '../../sources/kubernetes/limits.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Readiness } from '../../telemetry/readiness.ts';
import { clusterAccess } from '../cluster-access.ts';
import { CliError } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';
import type { Address } from '../options.ts';
import { credentialsOf, type RegistryClientOptions, transportOptionsOf } from '../registry-options.ts';

/** Of `trellis webhook`. */
export interface WebhookCommandOptions extends RegistryClientOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly podName: string;
  readonly rootNamespace: string;
  readonly listen: Address;
  readonly metrics: Address;
  readonly service: string;
  readonly certificate: 'managed' | 'files';
  readonly certificateSecret: string;
  readonly webhookConfiguration: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly lease: string;
  readonly sidecarImage?: readonly string[];
  readonly exemptNamespace?: readonly string[];
  readonly cacheBytes: number;
  /** Milliseconds. */
  readonly recheckInterval: number;
  readonly registryAddress?: readonly string[];
}

export interface Surroundings {
  readonly sidecar: SidecarSettings | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness<'policies' | 'certificate'>;
  readonly signal: AbortSignal;
}

export interface Webhook {
  readonly address: string;
  /** Resolves when the policies are known; until then it refuses. Never rejects. */
  readonly ready: Promise<void>;
  readonly refreshMetrics: () => void;
  close(graceMs: number): Promise<void>;
}

const maxCaBytes = 4 * 1024 * 1024;

/** Undefined when it was stopped before it could serve. @throws CliError and what starting it throws */
export async function startWebhook(
  options: WebhookCommandOptions,
  { sidecar, log, metrics, readiness, signal }: Surroundings,
): Promise<Webhook | undefined> {
  const certificate = certificateSettings(options);
  const access = await clusterAccess(options.kubeconfig, process.env);
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const clientCa =
    options.clientCa === undefined
      ? undefined
      : await readNamedFile('the CA file', options.clientCa, maxCaBytes);
  const registry = {
    ...(await transportOptionsOf(options)),
    ...(options.registryAddress && { allowedAddresses: options.registryAddress }),
    // Whoever makes pods names the hosts.
    resolve: dnsResolve(),
  };
  const client = createKubeClient(access, defaultLimits);
  try {
    const controller = await startAdmissionController({
      ...{ client, sidecar, log, metrics, readiness, signal, certificate, registry },
      // The trust domain is of no matter to policies about pods.
      mesh: { trustDomain: 'cluster.local', rootNamespace: options.rootNamespace, parse },
      namespace: options.namespace,
      podName: options.podName,
      listen: options.listen,
      service: options.service,
      clientCa: clientCa?.toString('utf8'),
      lease: options.lease,
      credentials: await credentialsOf(options),
      env: process.env,
      cacheBytes: options.cacheBytes,
      recheckIntervalMs: options.recheckInterval,
      exemptNamespaces: new Set(options.exemptNamespace),
      now: () => new Date(),
    });
    return {
      address: controller.address,
      ready: controller.ready,
      refreshMetrics: () => controller.refreshMetrics(),
      close: async (graceMs) => {
        await controller.close(graceMs);
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    if (signal.aborted) return undefined;
    throw error;
  }
}

function certificateSettings(options: WebhookCommandOptions): CertificateSettings {
  const {
    certificate: mode,
    certificateSecret: secret,
    webhookConfiguration: configuration,
    tlsCert,
    tlsKey,
  } = options;
  if (mode === 'managed') return { mode, secret, configuration };
  if (tlsCert !== undefined && tlsKey !== undefined) return { mode, certificate: tlsCert, key: tlsKey };
  throw new CliError('ERR_USAGE', '--certificate files needs the files', {
    hint: 'give --tls-cert and --tls-key',
  });
}
