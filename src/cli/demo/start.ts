// Starts a whole mesh: control plane, and for every service an agent, an Envoy and the application.

import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { ManifestEditor } from './edit.ts';
import { isReady as envoyIsReady, readStats } from './envoy-admin.ts';
import { fetchHttp } from './http.ts';
import { probeName } from './manifests.ts';
import { type Networks, podAddress } from './networks.ts';
import { withLog } from './process-end.ts';
import type { Processes, RunningProcess } from './processes.ts';
import {
  agentProgram,
  applicationProgram,
  bootstrapProgram,
  type ControlPlanePlace,
  controlPlaneProgram,
  envoyProgram,
  exampleNamespace,
  type Program,
  tokenProgram,
  trustAnchorFile,
  trustDomain,
} from './programs.ts';
import { type ControlPlane, isReady, Probe, type RunningMesh } from './running-mesh.ts';
import type { DemoService } from './services.ts';
import type { StateDirectory } from './state-directory.ts';
import { Traffic } from './traffic.ts';
import { waitFor } from './wait.ts';

/** Everything starts at once on however few cores there are. */
const startTimeoutMs = 60_000;
/** From the control plane's first answer until it has read twenty files. */
const loadTimeoutMs = 5000;

/** Last number of the control plane's address, and its ports. */
export const controlPlaneHost = 2;
export const controlPlanePorts = { listen: 15012, metrics: 15014 };
const ok = 200;

export interface StartOptions {
  readonly envoy: { readonly path: string; readonly version: string };
  readonly directory: StateDirectory;
  readonly networks: Networks;
  readonly services: readonly DemoService[];
  readonly processes: Processes;
  /** Gets every line of every proxy's access log. */
  readonly onAccess: (line: string) => void;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when every process is up and serving. */
export async function startMesh(options: StartOptions): Promise<RunningMesh> {
  const { directory, networks, services, envoy, signal, log } = options;
  const launcher = new Launcher(options);
  const place: ControlPlanePlace = {
    listen: `${podAddress(networks, controlPlaneHost)}:${controlPlanePorts.listen}`,
    metrics: `${podAddress(networks, controlPlaneHost)}:${controlPlanePorts.metrics}`,
    state: directory.controlPlane,
    manifests: directory.manifests,
  };
  log(`control plane on ${place.listen}`);
  const controlPlane = await startControlPlane(launcher, place, signal);
  log(`${services.length} services: ${services.map(({ name }) => name).join(', ')}`);
  const probeSocket = join(directory.sockets, `${probeName}.sock`);
  await Promise.all([
    ...services.map((service) => startWorkload(launcher, place, service)),
    startAgent(launcher, place, { namespace: exampleNamespace, pod: probeName }, probeSocket),
  ]);
  const trustBundleFile = trustAnchorFile(directory.controlPlane);
  const probeId = `spiffe://${trustDomain}/ns/${exampleNamespace}/sa/${probeName}`;
  return {
    envoy: envoy.version,
    services,
    networks,
    trustDomain,
    trustBundleFile,
    manifests: directory.manifests,
    demoJsonFile: directory.demoJson,
    controlPlane,
    editor: new ManifestEditor(directory.manifests, directory.path),
    traffic: new Traffic(),
    probe: new Probe(probeId, probeSocket, trustBundleFile),
    signal,
  };
}

/** Gives programs their names and logs. */
class Launcher {
  readonly options: StartOptions;

  constructor(options: StartOptions) {
    this.options = options;
  }

  start(name: string, program: Program, extra: { input?: string; onLine?: (line: string) => void } = {}) {
    return this.options.processes.start({ name, ...program, ...extra, logFile: this.logFile(name) });
  }

  run(name: string, program: Program): Promise<string> {
    return this.options.processes.run({ name, ...program, logFile: this.logFile(name) });
  }

  logFile(name: string): string {
    return join(this.options.directory.logs, `${name.replaceAll(' ', '-')}.log`);
  }

  socket(pod: string): string {
    return join(this.options.directory.sockets, `${pod}.sock`);
  }

  /** Waits for a process to get somewhere. @throws CliError with the end of its log */
  async wait(
    name: string,
    what: string,
    look: () => Promise<true | undefined>,
    timeoutMs: number = startTimeoutMs,
  ): Promise<void> {
    const { signal } = this.options;
    try {
      await waitFor({ what, timeoutMs, signal }, look);
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) throw error;
      const log = await readFile(this.logFile(name), 'utf8').catch(() => '');
      const { message, hint } = withLog(error.message, log);
      throw new CliError('ERR_UNAVAILABLE', message, { hint, cause: error });
    }
  }
}

async function startControlPlane(
  launcher: Launcher,
  place: ControlPlanePlace,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const name = 'control-plane';
  const start = async (): Promise<RunningProcess> => {
    const started = launcher.start(name, controlPlaneProgram(place));
    await launcher.wait(name, 'the control plane to answer', async () => {
      await isReady(place.metrics);
      return true;
    });
    const ready = async (): Promise<true | undefined> => (await isReady(place.metrics)) || undefined;
    // What it now waits for does not come by itself: a manifest has an error, which its log tells.
    await launcher.wait(name, 'the control plane to accept the manifests', ready, loadTimeoutMs);
    signal.throwIfAborted();
    return started;
  };
  let current = await start();
  return {
    listen: place.listen,
    metrics: place.metrics,
    get process() {
      return current;
    },
    restart: async () => {
      current = await start();
    },
    log: () => readFile(launcher.logFile(name), 'utf8'),
  };
}

async function startWorkload(
  launcher: Launcher,
  place: ControlPlanePlace,
  service: DemoService,
): Promise<void> {
  const { name, address } = service;
  const socket = launcher.socket(service.pod);
  const application = `app ${name}`;
  launcher.start(application, applicationProgram(service));
  const [bootstrap] = await Promise.all([
    launcher.run(`bootstrap ${name}`, bootstrapProgram(service, socket)),
    startAgent(launcher, place, service, socket),
  ]);
  const { envoy, onAccess } = launcher.options;
  const proxy = `envoy ${name}`;
  launcher.start(proxy, envoyProgram(envoy.path, bootstrap), { onLine: onAccess });
  await launcher.wait(
    proxy,
    `the Envoy of ${name} to be ready`,
    async () => (await envoyIsReady(service)) || undefined,
  );
  await launcher.wait(proxy, `the Envoy of ${name} to be configured`, () => isConfigured(service));
  await launcher.wait(application, `the application ${name} to answer`, async () => {
    const { status } = await fetchHttp({ host: address, port: service.port, path: '/health' });
    return status === ok || undefined;
  });
}

/** Its two listeners are active: certificate and trust bundle have come, too. */
async function isConfigured(service: DemoService): Promise<true | undefined> {
  const stats = await readStats(service, '^listener_manager.total_listeners_(active|warming)$');
  const active = stats.get('listener_manager.total_listeners_active') ?? 0;
  const warming = stats.get('listener_manager.total_listeners_warming') ?? 0;
  return (active >= 2 && warming === 0) || undefined;
}

async function startAgent(
  launcher: Launcher,
  place: ControlPlanePlace,
  workload: { readonly namespace: string; readonly pod: string },
  socket: string,
): Promise<void> {
  const { namespace, pod } = workload;
  const token = await launcher.run(`token ${pod}`, tokenProgram(place.state, `${namespace}/${pod}`));
  const agent = `agent ${pod}`;
  launcher.start(agent, agentProgram(place, socket), { input: `${token}\n` });
  await launcher.wait(agent, `the agent of ${pod} to serve its socket`, () => isServed(socket));
}

function isServed(socket: string): Promise<true> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.on('error', reject);
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}
