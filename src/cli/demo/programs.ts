// The programs a demo consists of, and their command lines. Trellis itself is used only through its public commands.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adminPort } from './envoy-admin.ts';
import type { DemoService } from './services.ts';
import { outboundPort } from './workload-client.ts';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Trust domain of the example's policies. */
export const trustDomain = 'cluster.local';
/** Namespace of the example. */
export const exampleNamespace = 'quantum-trader';

/** So short that every certificate is renewed while one looks on; an hour is the default elsewhere. */
const svidTtl = '30s';
/** How long Envoy drains what a listener change replaces. Such a change is rare; nobody should wait for it here. */
const drainSeconds = 2;
/** Envoy keeps its access log back for up to ten seconds otherwise; the live table wants it at once. */
const logFlushMs = 100;

const root = fileURLToPath(new URL('../../../', import.meta.url));
const trellisScript = join(root, 'bin', 'trellis.js');
const applicationScript = join(root, 'examples', 'quantum-trader', 'app.ts');
export const exampleDirectory = join(root, 'examples', 'quantum-trader');

/** The Node.js of this process, so that no launcher stands between us and our children. */
const node = process.execPath;

function trellis(...args: readonly string[]): Program {
  return { command: node, args: [trellisScript, ...args] };
}

export interface ControlPlanePlace {
  /** `host:port` that agents connect to. */
  readonly listen: string;
  /** `host:port` of /metrics and /readyz. */
  readonly metrics: string;
  readonly state: string;
  readonly manifests: string;
}

export function controlPlaneProgram({ listen, metrics, state, manifests }: ControlPlanePlace): Program {
  return trellis(
    'control-plane',
    ...['--state', state, '--manifests', manifests],
    ...['--listen', listen, '--metrics', metrics],
    ...['--trust-domain', trustDomain, '--svid-ttl', svidTtl],
  );
}

/** Where the control plane leaves the anchor that agents know it by. */
export function trustAnchorFile(controlPlaneState: string): string {
  return join(controlPlaneState, 'trust-anchor.pem');
}

/** Prints a join token for one workload. */
export function tokenProgram(controlPlaneState: string, workload: string): Program {
  return trellis('token', 'create', '--state', controlPlaneState, '--workload', workload);
}

/** The token comes on standard input: command lines and environments can be read by others. */
export function agentProgram(place: ControlPlanePlace, socket: string, metrics: string): Program {
  return trellis(
    'agent',
    ...['--control-plane', place.listen, '--trust-anchor', trustAnchorFile(place.state)],
    ...['--trust-domain', trustDomain, '--token-file', '-', '--socket', socket, '--metrics', metrics],
  );
}

/** Prints Envoy's bootstrap configuration. */
export function bootstrapProgram(service: DemoService, socket: string): Program {
  const { namespace, pod, address } = service;
  return trellis(
    'bootstrap',
    ...['--socket', socket, '--node-id', `${namespace}/${pod}`, '--admin', `${address}:${adminPort}`],
  );
}

export function envoyProgram(envoy: string, bootstrap: string): Program {
  return {
    command: envoy,
    args: [
      ...['--config-yaml', bootstrap, '--concurrency', '1', '--log-level', 'warning'],
      ...['--drain-time-s', String(drainSeconds), '--file-flush-interval-msec', String(logFlushMs)],
      // Hot restart would leave shared memory behind and make the Envoys of a machine meet.
      '--disable-hot-restart',
    ],
  };
}

/** @param socket of the workload's agent: here applications fetch their tokens themselves */
export function applicationProgram({ name, address }: DemoService, socket: string): Program {
  return {
    command: node,
    args: [applicationScript],
    env: {
      SERVICE: name,
      ADDRESS: address,
      TRELLIS: trellisScript,
      AGENT_SOCKET: socket,
      HTTP_PROXY: `http://${address}:${outboundPort}`,
      NODE_USE_ENV_PROXY: '1',
      // Someone's own settings must not lead around the proxy.
      NO_PROXY: '',
      http_proxy: '',
      no_proxy: '',
    },
  };
}
