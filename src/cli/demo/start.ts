// Starts a whole mesh: control plane, and for every service an agent, an Envoy and the application.

import { readFile } from 'node:fs/promises';
import { ManifestEditor } from './edit.ts';
import { isReady as envoyIsReady, readStats } from './envoy-admin.ts';
import { fetchHttp } from './http.ts';
import { Launcher } from './launcher.ts';
import { probeHost, probeName } from './manifests.ts';
import { type Networks, podAddress } from './networks.ts';
import type { Processes, RunningProcess } from './processes.ts';
import {
  applicationProgram,
  bootstrapProgram,
  type ControlPlanePlace,
  controlPlaneProgram,
  envoyProgram,
  exampleNamespace,
  trustAnchorFile,
  trustDomain,
} from './programs.ts';
import { type ControlPlane, isReady, Member, type RunningMesh, type WorkloadAgent } from './running-mesh.ts';
import type { DemoService } from './services.ts';
import { startAgent } from './start-agent.ts';
import type { StateDirectory } from './state-directory.ts';
import { Traffic } from './traffic.ts';

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
  const [probeAgent, ...agents] = await Promise.all([
    startAgent(launcher, place, {
      namespace: exampleNamespace,
      pod: probeName,
      address: podAddress(networks, probeHost),
    }),
    ...services.map(
      async (service) => [service.name, await startWorkload(launcher, options, place, service)] as const,
    ),
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
    agents: new Map(agents),
    editor: new ManifestEditor(directory.manifests, directory.path),
    traffic: new Traffic(),
    probe: new Member(probeId, probeAgent.socket, trustBundleFile),
    signal,
  };
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
    state: place.state,
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
  { envoy, onAccess }: Pick<StartOptions, 'envoy' | 'onAccess'>,
  place: ControlPlanePlace,
  service: DemoService,
): Promise<WorkloadAgent> {
  const { name, address } = service;
  const socket = launcher.socket(service.pod);
  const application = `app ${name}`;
  launcher.start(application, applicationProgram(service, socket));
  const [bootstrap, agent] = await Promise.all([
    launcher.run(`bootstrap ${name}`, bootstrapProgram(service, socket)),
    startAgent(launcher, place, service),
  ]);
  const proxy = `envoy ${name}`;
  launcher.start(proxy, envoyProgram(envoy.path, bootstrap), { onLine: onAccess });
  await launcher.wait(
    proxy,
    `the Envoy of ${name} to be ready`,
    async () => (await envoyIsReady(service)) || undefined,
  );
  await launcher.wait(proxy, `the Envoy of ${name} to be configured`, () => isConfigured(service));
  // Until it is, requests that only it can allow are denied.
  await launcher.wait(`agent ${service.pod}`, `the agent of ${name} to be ready`, async () => {
    return (await isReady(agent.metrics)) || undefined;
  });
  await launcher.wait(application, `the application ${name} to answer`, async () => {
    const { status } = await fetchHttp({ host: address, port: service.port, path: '/health' });
    return status === ok || undefined;
  });
  return agent;
}

/** Its two listeners are active: certificate and trust bundle have come, too. */
async function isConfigured(service: DemoService): Promise<true | undefined> {
  const stats = await readStats(service, '^listener_manager.total_listeners_(active|warming)$');
  const active = stats.get('listener_manager.total_listeners_active') ?? 0;
  const warming = stats.get('listener_manager.total_listeners_warming') ?? 0;
  return (active >= 2 && warming === 0) || undefined;
}
