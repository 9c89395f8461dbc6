// The running mesh as the checks and the live table see it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestEditor } from './edit.ts';
import { fetchHttp } from './http.ts';
import type { Networks } from './networks.ts';
import type { RunningProcess } from './processes.ts';
import { fetchIdentity, type ProbeIdentity } from './sds-client.ts';
import type { DemoService } from './services.ts';
import type { TlsClientOptions } from './tls-client.ts';
import type { Traffic } from './traffic.ts';

/** The control plane's process and what it says of itself. */
export interface ControlPlane {
  /** `host:port` */
  readonly listen: string;
  /** `host:port` */
  readonly metrics: string;
  /** Its directory, with the CA in it. */
  readonly state: string;
  readonly process: RunningProcess;
  /** Starts it again after a crash, and waits until it is ready. */
  restart(): Promise<void>;
  /** All it has logged so far. */
  log(): Promise<string>;
}

/** The process that holds a workload's identity and decides for its proxy what that cannot. */
export interface WorkloadAgent {
  readonly socket: string;
  /** `host:port` */
  readonly metrics: string;
  readonly process: RunningProcess;
  /**
   * Starts it again after a crash, at the same socket. Resolves to when it was started (`performance.now()`), before it is
   * of any use.
   */
  restart(): Promise<number>;
}

export interface RunningMesh {
  /** Version of Envoy. */
  readonly envoy: string;
  readonly services: readonly DemoService[];
  readonly networks: Networks;
  readonly trustDomain: string;
  readonly trustBundleFile: string;
  readonly manifests: string;
  readonly demoJsonFile: string;
  readonly controlPlane: ControlPlane;
  /** By name of the service. */
  readonly agents: ReadonlyMap<string, WorkloadAgent>;
  readonly editor: ManifestEditor;
  readonly traffic: Traffic;
  /** A member of its own, which no policy of the example allows anything. */
  readonly probe: Member;
  /** Aborted when the demo stops, or a process of it fails. */
  readonly signal: AbortSignal;
}

/** A member of the mesh that is a program of ours instead of an Envoy. */
export class Member {
  readonly spiffeId: string;
  readonly #socket: string;
  readonly #trustBundleFile: string;

  constructor(spiffeId: string, socket: string, trustBundleFile: string) {
    this.spiffeId = spiffeId;
    this.#socket = socket;
    this.#trustBundleFile = trustBundleFile;
  }

  /** The identity that its agent holds for it at the moment. */
  identity(): Promise<ProbeIdentity> {
    return fetchIdentity(this.#socket);
  }

  /** What a proper client of the mesh needs to call the application behind a proxy. */
  async client(to: Pick<DemoService, 'address' | 'port'>): Promise<TlsClientOptions> {
    const [identity, trustBundle] = await Promise.all([
      this.identity(),
      readFile(this.#trustBundleFile, 'utf8'),
    ]);
    return { address: to.address, port: to.port, identity, trustBundle };
  }
}

/** @throws Error when the example has no such service */
export function serviceNamed(mesh: Pick<RunningMesh, 'services'>, name: string): DemoService {
  const service = mesh.services.find((each) => each.name === name);
  if (service === undefined) throw new Error(`the example has no service ${name}`);
  return service;
}

/** @throws Error when the example has no such service */
export function agentOf({ agents }: Pick<RunningMesh, 'agents'>, name: string): WorkloadAgent {
  const agent = agents.get(name);
  if (agent === undefined) throw new Error(`the example has no agent of ${name}`);
  return agent;
}

/** A workload's identity in our own hands, as whoever can open its agent's socket has it. */
export function memberAs(mesh: RunningMesh, name: string): Member {
  return new Member(serviceNamed(mesh, name).spiffeId, agentOf(mesh, name).socket, mesh.trustBundleFile);
}

/** Where the policy of a service is, relative to the manifests. */
export function policyFile(service: string): string {
  return join('policies', `${service}.yaml`);
}

/** True when the control plane, or an agent, has all it needs to do its work. */
export async function isReady(metrics: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${metrics}`);
  return (await fetchHttp({ host: hostname, port: Number(port), path: '/readyz' })).status === 200;
}
