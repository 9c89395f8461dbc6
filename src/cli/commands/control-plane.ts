import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { defaultSvidLifetimeMs } from '../../identity/lifetimes.ts';
import { startHealthServer } from '../../telemetry/health.ts';
import { createLogger, type LogLevel } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createReadiness } from '../../telemetry/readiness.ts';
import { requirePostQuantumCrypto } from '../crypto-support.ts';
import { type Address, address, logLevel, svidLifetime, trustDomain } from '../options.ts';
import { onStopSignal, stopped } from '../shutdown.ts';

interface ControlPlaneCommandOptions {
  readonly state: string;
  readonly manifests: string;
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
    .description('issue identities and configure proxies, from a directory of Kubernetes manifests')
    .requiredOption(
      '--state <directory>',
      'the CA, join tokens and admitted agents; created on first start, mode 700',
    )
    .requiredOption('--manifests <directory>', 'Kubernetes manifests (*.yaml, *.yml, *.json), watched')
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

async function run(options: ControlPlaneCommandOptions): Promise<void> {
  requirePostQuantumCrypto();
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
      manifestsDirectory: resolve(options.manifests),
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
    stop.release();
  }
}
