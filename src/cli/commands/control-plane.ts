import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import type { DesiredState } from '../../control-plane/mesh-source.ts';
import { defaultSvidLifetimeMs } from '../../identity/lifetimes.ts';
import { startHealthServer } from '../../telemetry/health.ts';
import { createLogger, type LogLevel } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createReadiness } from '../../telemetry/readiness.ts';
import { clusterAccess } from '../cluster-access.ts';
import { requirePostQuantumCrypto } from '../crypto-support.ts';
import { CliError } from '../errors.ts';
import { type Address, address, logLevel, svidLifetime, trustDomain } from '../options.ts';
import { onStopSignal, stopped } from '../shutdown.ts';
import { checkOptions } from '../signing/option-rules.ts';

interface ControlPlaneCommandOptions {
  readonly state: string;
  readonly manifests?: string;
  readonly kubernetes?: true;
  readonly kubeconfig?: string;
  readonly listen: Address;
  readonly metrics: Address;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly svidTtl: number;
  readonly denialReasons: 'shown' | 'hidden';
  readonly logLevel: LogLevel;
}

export function registerControlPlane(program: Command): void {
  program
    .command('control-plane')
    .description('issue identities and configure proxies, from a directory of manifests or from Kubernetes')
    .requiredOption(
      '--state <directory>',
      'the CA, join tokens and admitted agents; created on first start, mode 700',
    )
    .option('--manifests <directory>', 'Kubernetes manifests (*.yaml, *.yml, *.json), watched')
    .option('--kubernetes', 'read the API server of the cluster it runs in, instead of manifests')
    .option('--kubeconfig <file>', 'with --kubernetes: the API server that this file names')
    .addOption(
      new Option('--listen <host:port>', 'where agents connect')
        .argParser(address)
        .default(address('127.0.0.1:15010'), '127.0.0.1:15010'),
    )
    .addOption(
      new Option('--metrics <host:port>', 'where /metrics, /healthz and /readyz are served')
        .argParser(address)
        .default(address('127.0.0.1:15014'), '127.0.0.1:15014'),
    )
    .option('--trust-domain <name>', 'SPIFFE trust domain', trustDomain, 'cluster.local')
    .option(
      '--root-namespace <namespace>',
      'policies in this namespace hold for the whole mesh',
      'trellis-system',
    )
    .addOption(
      new Option('--svid-ttl <duration>', 'how long an identity lives; renewed at half of it')
        .argParser(svidLifetime)
        .default(defaultSvidLifetimeMs, '1h'),
    )
    .addOption(
      new Option(
        '--denial-reasons <visibility>',
        'whether callers are told which policy denied them, and why',
      )
        .choices(['shown', 'hidden'])
        .default('shown'),
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent', logLevel, 'info')
    .action(run);
}

async function run(options: ControlPlaneCommandOptions, command: Command): Promise<void> {
  checkOptions(command, [
    { option: '--kubernetes', excludes: ['--manifests'] },
    { option: '--kubeconfig', needs: ['--kubernetes'] },
  ]);
  requirePostQuantumCrypto();
  const { desired, close: closeSource } = await desiredState(options);
  // Loaded only now, with the generated protobuf code behind it: no other command should have to read all of that.
  const { startControlPlane } = await import('../../control-plane/control-plane.ts');
  const log = createLogger({ level: options.logLevel });
  const metrics = createMetrics(manifest.version);
  const readiness = createReadiness(['ca', 'state']);
  const health = await startHealthServer({ ...options.metrics, registry: metrics.registry, readiness });
  const stop = onStopSignal();
  try {
    const controlPlane = await startControlPlane({
      stateDirectory: resolve(options.state),
      desired,
      listen: options.listen,
      trustDomain: options.trustDomain,
      rootNamespace: options.rootNamespace,
      svidLifetimeMs: options.svidTtl,
      denialReasons: options.denialReasons,
      log,
      metrics,
      readiness,
      now: () => new Date(),
      random: Math.random,
      signal: stop.signal,
    });
    const { host, port } = controlPlane.address;
    log.info(
      { listen: `${host}:${port}`, metrics: health.address, trustAnchor: controlPlane.trustAnchorFile },
      'the control plane serves',
    );
    await stopped(stop.signal);
    log.info({ signal: String(stop.signal.reason) }, 'stopping');
    await controlPlane.close();
  } finally {
    await health.close();
    await closeSource();
    stop.release();
  }
}

async function desiredState({ manifests, kubernetes, kubeconfig }: ControlPlaneCommandOptions): Promise<{
  readonly desired: DesiredState;
  readonly close: () => Promise<void>;
}> {
  if (kubernetes === true) {
    const access = await clusterAccess(kubeconfig, process.env);
    // Loaded only now, with the HTTP client behind it.
    const { createKubeClient } = await import('../../sources/kubernetes/cluster/client.ts');
    const { defaultLimits } = await import('../../sources/kubernetes/limits.ts');
    const client = createKubeClient(access, defaultLimits);
    return { desired: { from: 'kubernetes', client }, close: () => client.close() };
  }
  if (manifests === undefined) {
    throw new CliError('ERR_USAGE', 'it is not said where the mesh is described', {
      hint: 'give --manifests DIRECTORY, or --kubernetes',
    });
  }
  return { desired: { from: 'files', directory: resolve(manifests) }, close: async () => {} };
}
