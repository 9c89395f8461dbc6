import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { defaultImageJudgeLimits } from '../../admission/images/limits.ts';
import { maxTimeoutMs } from '../../admission/server/deadline.ts';
import { startHealthServer } from '../../telemetry/health.ts';
import { createLogger, type LogLevel } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createReadiness } from '../../telemetry/readiness.ts';
import { sidecarSettings } from '../admission/sidecar-image.ts';
import type { WebhookCommandOptions } from '../admission/start-webhook.ts';
import { requirePostQuantumCrypto } from '../crypto-support.ts';
import { CliError } from '../errors.ts';
import { address, collect, duration, logLevel, namespaceName } from '../options.ts';
import { addRegistryOptions } from '../registry-options.ts';
import { onStopSignal, stopped } from '../shutdown.ts';
import { checkOptions } from '../signing/option-rules.ts';

const defaultNamespace = 'trellis-system';
const defaultRecheckMs = 60 * 60_000;

export function registerWebhook(program: Command): void {
  const command = program
    .command('webhook')
    .description('judge pods for the API servers of a cluster: serve the admission webhooks of the chart')
    .option('--kubeconfig <file>', 'the API server that this file names, not that of the cluster it runs in')
    .option('--namespace <namespace>', 'where its Secret and its Lease are', namespaceName, defaultNamespace)
    .addOption(
      new Option('--pod-name <name>', 'of this replica, for Events and the Lease').default(
        hostname(),
        'the host name',
      ),
    )
    .option(
      '--root-namespace <namespace>',
      'policies in it hold for the whole mesh',
      namespaceName,
      defaultNamespace,
    )
    .addOption(
      new Option('--listen <host:port>', 'where API servers call')
        .argParser(address)
        .default(address('127.0.0.1:9443'), '127.0.0.1:9443'),
    )
    .addOption(
      new Option('--metrics <host:port>', 'where /metrics, /healthz and /readyz are served')
        .argParser(address)
        .default(address('127.0.0.1:9444'), '127.0.0.1:9444'),
    )
    .option('--service <name>', 'the Service through which API servers call', 'trellis-webhook')
    .addOption(
      new Option('--certificate <mode>', 'managed: its own, renewed; files: yours, never changed')
        .choices(['managed', 'files'])
        .default('managed'),
    )
    .option(
      '--certificate-secret <name>',
      'with managed: where the CA and the certificate are kept',
      'trellis-webhook-certificate',
    )
    .option(
      '--webhook-configuration <name>',
      'with managed: of both webhook configurations, which are told the CA',
      'trellis-webhook',
    )
    .option('--tls-cert <file>', 'with files: the certificate, and what stands between it and its CA (PEM)')
    .option('--tls-key <file>', 'with files: its key (PEM)')
    .option('--client-ca <file>', 'answer only clients with a certificate of this CA (PEM)')
    .option('--lease <name>', 'by which replicas agree on who writes', 'trellis-webhook')
    .option(
      '--sidecar-image <image>',
      'stock Envoy by digest, injected into meshed pods; given again: earlier ones, which pods may still have',
      collect,
    )
    .option(
      '--exempt-namespace <namespace>',
      'pods in it are let through and not looked at again; can be given again',
      collectNamespace,
    )
    .addOption(
      new Option('--cache-bytes <number>', 'of memory, for what is known about images')
        .argParser(positive)
        .default(defaultImageJudgeLimits.maxCacheBytes, '64 MiB'),
    )
    .addOption(
      new Option('--recheck-interval <duration>', 'how often running pods are looked at again')
        .argParser(duration)
        .default(defaultRecheckMs, '1h'),
    )
    .option(
      '--registry-address <address>',
      'an address or network that may be connected to although it is loopback or link-local; can be given again',
      collect,
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent', logLevel, 'info');
  addRegistryOptions(command).action(run);
}

async function run(
  options: WebhookCommandOptions & { readonly logLevel: LogLevel },
  command: Command,
): Promise<void> {
  checkOptions(command, [
    { option: '--tls-cert', needs: ['--tls-key'] },
    { option: '--tls-key', needs: ['--tls-cert'] },
  ]);
  if (options.certificate === 'managed' && options.tlsCert !== undefined) {
    throw new CliError('ERR_USAGE', '--tls-cert is not looked at with --certificate managed', {
      hint: 'give --certificate files too',
    });
  }
  const sidecar = sidecarSettings(options.sidecarImage ?? []);
  requirePostQuantumCrypto();
  // Loaded only now: no other command should have to read all of that.
  const { startWebhook } = await import('../admission/start-webhook.ts');
  const log = createLogger({ level: options.logLevel });
  const metrics = createMetrics(manifest.version);
  const readiness = createReadiness(['policies', 'certificate', 'serving']);
  const stop = onStopSignal();
  let refreshMetrics = (): void => {};
  const registry = {
    contentType: metrics.registry.contentType,
    metrics: () => {
      refreshMetrics();
      return metrics.registry.metrics();
    },
  };
  const health = await startHealthServer({ ...options.metrics, registry, readiness });
  try {
    const webhook = await startWebhook(options, { sidecar, log, metrics, readiness, signal: stop.signal });
    if (webhook === undefined) return;
    refreshMetrics = webhook.refreshMetrics;
    readiness.ready('serving');
    const addresses = { listen: webhook.address, metrics: health.address };
    const waits = readiness.conditions().filter(({ ready }) => !ready);
    if (waits.length > 0) {
      const reasons = waits.map(({ name, reason = '' }) => `${name}: ${reason}`).join('; ');
      log.warn(addresses, `the webhook listens, and refuses everything until it is ready (${reasons})`);
    }
    void webhook.ready.then(() => log.info(addresses, 'the webhook serves'));
    await stopped(stop.signal);
    readiness.notReady('serving', 'it stops, and takes no new connections');
    log.info({ signal: String(stop.signal.reason) }, 'stopping');
    // As long as API servers may wait for an answer.
    await webhook.close(maxTimeoutMs);
  } finally {
    await health.close();
    stop.release();
  }
}

function collectNamespace(value: string, before: readonly string[] | undefined): readonly string[] {
  return collect(namespaceName(value), before);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number above 0.');
  return value;
}
