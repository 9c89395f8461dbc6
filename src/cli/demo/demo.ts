// One run of the demo, from nothing to nothing: whatever happens in between, no process and no temporary file is left.

import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../errors.ts';
import { findEnvoy } from '../tools/envoy.ts';
import { tapHost } from './checks/tap-call.ts';
import { adminPort } from './envoy-admin.ts';
import { startGuardian } from './guardian-client.ts';
import { exampleManifests, moveManifests, probeHost, readManifests, writeManifests } from './manifests.ts';
import { claimNetworks, exampleNetworks, type Networks } from './networks.ts';
import { Processes } from './processes.ts';
import { exampleDirectory, exampleNamespace, trustDomain } from './programs.ts';
import type { RunningMesh } from './running-mesh.ts';
import { type DemoService, type ManifestFile, readServices } from './services.ts';
import { controlPlaneHost, controlPlanePorts, startMesh } from './start.ts';
import { agentMetricsPort } from './start-agent.ts';
import { openStateDirectory, type StateDirectory } from './state-directory.ts';
import { inboundPort } from './tls-client.ts';
import { outboundPort } from './workload-client.ts';

/** What was interrupted ends at once, or hangs in a request that ends with the process it was sent to. */
const settleTimeoutMs = 3000;

export interface DemoOptions {
  /** `--state`; a temporary directory without it. */
  readonly state: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Told what is being done, a line at a time. */
  readonly log: (line: string) => void;
  /** Gets every line of every proxy's access log. */
  readonly onAccess: (line: string) => void;
  /** Told the version of Envoy as soon as it is known. */
  readonly onEnvoy: (version: string) => void;
  /** Ends the demo. */
  readonly signal: AbortSignal;
}

/**
 * Starts the mesh, hands it to `use`, and cleans up after it.
 * @throws what `use` throws; CliError when something cannot be started, a process of the demo dies, or it is stopped
 */
export async function withDemo<T>(options: DemoOptions, use: (mesh: RunningMesh) => Promise<T>): Promise<T> {
  const { env, state, log, onAccess, signal: stop } = options;
  const envoy = await untilStopped(stop, [findEnvoy({ env, log })]);
  options.onEnvoy(envoy.version);
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const directory = await openStateDirectory(state);
    cleanups.push(() => directory.release());
    const guardian = startGuardian();
    cleanups.push(() => guardian.dismiss());
    guardian.remove(directory.passing);
    const { networks, services } = await prepareManifests(directory, cleanups);
    const processes = new Processes(guardian);
    const controller = new AbortController();
    const { signal } = controller;
    const mesh = startMesh({ envoy, directory, networks, services, processes, onAccess, log, signal });
    const running = mesh.then(use);
    cleanups.push(() => settled(running));
    cleanups.push(() => processes.stop());
    cleanups.push(async () => controller.abort(new Error('the demo is stopping')));
    return await untilStopped(stop, [processes.failure, running]);
  } finally {
    await cleanUp(cleanups.reverse());
  }
}

/** Resolves or rejects as the first of these does, unless the demo is stopped before. */
async function untilStopped<T>(stop: AbortSignal, running: readonly Promise<T>[]): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const onStop = (): void => {
    stopped.reject(new CliError('ERR_CHECK_FAILED', `stopped by ${String(stop.reason)}`));
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  try {
    return await Promise.race([stopped.promise, ...running]);
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** Does all of it, whatever goes wrong in between. @throws the first error */
async function cleanUp(cleanups: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups) await cleanup().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** Waits for what was interrupted, so that it does not write into a directory that is being removed. */
async function settled(running: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const tooLong = sleep(settleTimeoutMs, undefined, { signal: done.signal }).catch(() => {});
  await Promise.race([running.catch(() => {}), tooLong]);
  done.abort();
}

/** Puts the manifests in place with addresses that nobody else uses. */
async function prepareManifests(
  directory: StateDirectory,
  cleanups: (() => Promise<void>)[],
): Promise<{ readonly networks: Networks; readonly services: readonly DemoService[] }> {
  const present = await exists(directory.manifests);
  const from = (present ? directory.networks : undefined) ?? exampleNetworks;
  const files = present
    ? await readManifests(directory.manifests)
    : await exampleManifests(exampleDirectory, exampleNamespace);
  const claim = await claimNetworks(from, listeners(files));
  cleanups.push(() => claim.release());
  if (!present) await writeManifests(directory.manifests, files, from, claim.networks);
  else if (claim.networks.pods !== from.pods) await moveManifests(directory.manifests, from, claim.networks);
  await directory.recordNetworks(claim.networks);
  return {
    networks: claim.networks,
    services: readServices(await readManifests(directory.manifests), trustDomain),
  };
}

/** Everything that will be listened on: last number of the address, and port. */
function listeners(files: readonly ManifestFile[]): readonly (readonly [number, number])[] {
  const services = readServices(files, trustDomain);
  const host = (address: string): number => Number(address.split('.')[3]);
  return [
    [controlPlaneHost, controlPlanePorts.listen],
    [controlPlaneHost, controlPlanePorts.metrics],
    [tapHost, inboundPort],
    [probeHost, agentMetricsPort],
    ...services.flatMap(({ address, port, tcpPorts }) =>
      [inboundPort, outboundPort, adminPort, agentMetricsPort, port, ...tcpPorts].map(
        (each) => [host(address), each] as const,
      ),
    ),
  ];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
