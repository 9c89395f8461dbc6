import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { parseBundle } from '../../crypto/x509/trust-anchors.ts';
import { startHealthServer } from '../../telemetry/health.ts';
import { createLogger, type LogLevel } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createReadiness } from '../../telemetry/readiness.ts';
import { requirePostQuantumCrypto } from '../crypto-support.ts';
import { CliError } from '../errors.ts';
import { type Address, address, logLevel, trustDomain } from '../options.ts';
import { readSecret } from '../secret-input.ts';
import { onStopSignal } from '../shutdown.ts';

interface AgentCommandOptions {
  readonly controlPlane: Address;
  readonly trustAnchor: string;
  readonly tokenFile: string;
  readonly socket: string;
  readonly tokenSocket?: string;
  readonly trustDomain: string;
  readonly metrics?: Address;
  readonly logLevel: LogLevel;
}

export function registerAgent(program: Command): void {
  program
    .command('agent')
    .description('hold the identity of one workload and serve its Envoy on a Unix socket')
    .addOption(
      new Option('--control-plane <host:port>', 'the control plane').argParser(address).makeOptionMandatory(),
    )
    .requiredOption('--trust-anchor <file>', 'trust-anchor.pem of the control plane')
    .requiredOption('--token-file <file>', 'the join token; - reads it from standard input')
    .requiredOption('--socket <path>', 'the Unix socket to serve; whoever can open it holds the identity')
    .option(
      '--token-socket <path>',
      'a second Unix socket, for programs of the workload: it gives out tokens and nothing else',
    )
    .option('--trust-domain <name>', 'SPIFFE trust domain', trustDomain, 'cluster.local')
    .addOption(
      new Option('--metrics <host:port>', 'serve /metrics, /healthz and /readyz there').argParser(address),
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent', logLevel, 'info')
    .action(run);
}

async function run(options: AgentCommandOptions): Promise<void> {
  requirePostQuantumCrypto();
  // Loaded only now, with the generated protobuf code behind it: no other command should have to read all of that.
  const { runAgent } = await import('../../agent/agent.ts');
  const anchors = await readAnchors(options.trustAnchor, options.trustDomain);
  const joinToken = await readSecret(options.tokenFile, {
    what: 'the join token',
    fault: 'ERR_CONFIGURATION',
  });
  const metrics = createMetrics(manifest.version);
  const readiness = createReadiness(['control-plane', 'svid', 'authorization']);
  const health =
    options.metrics === undefined
      ? undefined
      : await startHealthServer({ ...options.metrics, registry: metrics.registry, readiness });
  const stop = onStopSignal();
  try {
    await runAgent({
      controlPlane: options.controlPlane,
      trustDomain: options.trustDomain,
      anchors,
      joinToken,
      socket: resolve(options.socket),
      ...(options.tokenSocket === undefined ? {} : { tokenSocket: resolve(options.tokenSocket) }),
      log: createLogger({ level: options.logLevel }),
      report: {
        connected: () => {
          readiness.ready('control-plane');
          metrics.controlPlaneConnected.set({}, 1);
        },
        disconnected: (reason) => {
          readiness.notReady('control-plane', reason);
          metrics.controlPlaneConnected.set({}, 0);
        },
        svid: ({ leaf }) => {
          readiness.ready('svid');
          metrics.svidRenewals.inc({ result: 'renewed' });
          metrics.svidExpiry.set({}, leaf.notAfter.getTime() / 1000);
        },
        authorization: (known) => {
          if (known) readiness.ready('authorization');
          else
            readiness.notReady('authorization', 'there are no authorization rules to decide by; see the log');
        },
        decision: (result, cause) => metrics.authzDecisions.inc({ result, cause }),
        renewalFailed: () => metrics.svidRenewals.inc({ result: 'failed' }),
      },
      now: () => new Date(),
      random: Math.random,
      signal: stop.signal,
    });
  } finally {
    await health?.close();
    stop.release();
  }
}

async function readAnchors(file: string, trustDomainName: string): Promise<readonly Certificate[]> {
  try {
    return parseBundle(await readFile(file, 'utf8'), trustDomainName);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('ERR_CONFIGURATION', `cannot use the trust anchor file ${file}: ${reason}`, {
      hint: 'it is trust-anchor.pem in the state directory of the control plane',
      cause: error,
    });
  }
}
