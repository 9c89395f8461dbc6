// A whole mesh inside a test: the control plane and the agents in this process, a real Envoy per workload, and small
// applications, each workload on a loopback address of its own.

import { join } from 'node:path';
import { runAgent } from '../../src/agent/agent.ts';
import { envoyBootstrap } from '../../src/agent/bootstrap.ts';
import type { HeldSvid } from '../../src/agent/identity-client.ts';
import type { Certificate } from '../../src/crypto/x509/certificate.ts';
import type { App, Echo, RunningApp } from './apps.ts';
import { onEnd } from './cleanup.ts';
import { TestControlPlane, type TestControlPlaneOptions, type TestLog, testLog } from './control-plane.ts';
import { type RunningEnvoy, startEnvoy } from './envoy.ts';
import {
  type Answer,
  type Call,
  Http2Client,
  httpCall,
  httpTunnel,
  type Place,
  type Tunnel,
} from './http-client.ts';
import {
  emptyService,
  type Manifest,
  namespace,
  type PortManifest,
  trustDomain,
  type WorkloadManifest,
  workloadManifests,
} from './manifests.ts';
import { type MeshClientOptions, obtainIdentity, openMeshConnection } from './mesh-client.ts';
import { loopbackAddress } from './ports.ts';
import { until } from './until.ts';

/** What a proxy answers to calls of a host that is no Service. */
const unknownHost = 502;

/** Where an application's calls enter its proxy. */
const outboundPort = 15001;

export interface PortSpec extends PortManifest {
  readonly app: App;
}

export interface WorkloadSpec {
  readonly serviceAccount?: string;
  readonly ports?: readonly PortSpec[];
  readonly meshed?: boolean;
  /** False: no agent and no Envoy are started for it. */
  readonly proxy?: boolean;
}

export interface MeshOptions extends TestControlPlaneOptions {
  readonly workloads: Readonly<Record<string, WorkloadSpec>>;
  /** More manifests, by file. */
  readonly manifests?: Readonly<Record<string, readonly Manifest[] | string>>;
}

export class Mesh {
  readonly controlPlane: TestControlPlane;
  readonly anchors: readonly Certificate[];
  readonly #workloads: ReadonlyMap<string, MeshWorkload>;
  readonly #markers: string[] = [];

  private constructor(
    controlPlane: TestControlPlane,
    anchors: readonly Certificate[],
    workloads: ReadonlyMap<string, MeshWorkload>,
  ) {
    this.controlPlane = controlPlane;
    this.anchors = anchors;
    this.#workloads = workloads;
  }

  /** Resolves when every proxy serves. */
  static async start(options: MeshOptions): Promise<Mesh> {
    const entries = Object.entries(options.workloads).map(([name, spec]) => ({
      spec,
      manifest: { ...spec, name, address: loopbackAddress() },
    }));
    const manifests = Object.fromEntries(
      entries.map(({ manifest }) => [`${manifest.name}.yaml`, workloadManifests(manifest)]),
    );
    const controlPlane = await TestControlPlane.start({
      ...options,
      manifests: { ...manifests, ...options.manifests },
    });
    const anchors = await controlPlane.anchors();
    const workloads = new Map<string, MeshWorkload>();
    for (const { spec, manifest } of entries) {
      const workload = new MeshWorkload(controlPlane, anchors, spec, manifest);
      await workload.start();
      workloads.set(manifest.name, workload);
    }
    const mesh = new Mesh(controlPlane, anchors, workloads);
    try {
      await Promise.all([...workloads.values()].map((workload) => workload.waitReady()));
      await mesh.settled();
    } catch (error) {
      const log = [controlPlane.log, ...[...workloads.values()].map((workload) => workload.log)];
      const problems = log.flatMap(({ text }) => text.filter((line) => !line.startsWith('{"level":30')));
      throw new Error(`the mesh does not come up: ${String(error)}\n${problems.slice(-20).join('')}`, {
        cause: error,
      });
    }
    return mesh;
  }

  workload(name: string): MeshWorkload {
    const found = this.#workloads.get(name);
    if (found === undefined) throw new Error(`no workload ${name}`);
    return found;
  }

  /** Replaces a manifest file; resolves when every proxy has what follows from it. */
  async apply(file: string, ...manifests: readonly Manifest[]): Promise<void> {
    await this.controlPlane.write(file, manifests);
    await this.settled();
  }

  async remove(file: string): Promise<void> {
    await this.controlPlane.remove(file);
    await this.settled();
  }

  /**
   * Resolves when every proxy has what follows from the manifests as they are now. Another Service shows it: routes are the
   * last thing that a proxy is sent of a change, and all of them in one message.
   */
  async settled(): Promise<void> {
    const marker = `edit-${this.#markers.length}`;
    // They stay: what disappears from a manifest takes effect later than what is added.
    this.#markers.push(marker);
    await this.controlPlane.write('markers.yaml', this.#markers.map(emptyService));
    const proxies = [...this.#workloads.values()].filter((workload) => workload.isProxied);
    await Promise.all(
      proxies.map((proxy) =>
        until(
          `${proxy.name} to have ${marker}`,
          async () => (await proxy.call(marker)).status !== unknownHost,
        ),
      ),
    );
  }

  /** A TLS client of the workload's inbound listener, with the identity of another. */
  meshClient(to: string, port: number, credentials: HeldSvid | undefined): Promise<Http2Client> {
    return openMeshConnection(this.target(to, port, credentials));
  }

  target(to: string, port: number, credentials: HeldSvid | undefined): MeshClientOptions {
    return { address: this.workload(to).address, port, anchors: this.anchors, credentials };
  }

  /** A genuine identity of a pod that is in the manifests, with a key of the test's own. */
  async identity(name: string): Promise<HeldSvid> {
    return (await obtainIdentity(this.controlPlane, name)).svid;
  }
}

export type AccessRecord = Readonly<Record<string, unknown>>;

export class MeshWorkload {
  readonly name: string;
  readonly address: string;
  readonly apps = new Map<number, RunningApp>();
  readonly log: TestLog = testLog();
  readonly #controlPlane: TestControlPlane;
  readonly #anchors: readonly Certificate[];
  readonly #spec: WorkloadSpec;
  #agent: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #envoy: RunningEnvoy | undefined;

  constructor(
    controlPlane: TestControlPlane,
    anchors: readonly Certificate[],
    spec: WorkloadSpec,
    { name, address }: WorkloadManifest,
  ) {
    this.name = name;
    this.address = address;
    this.#controlPlane = controlPlane;
    this.#anchors = anchors;
    this.#spec = spec;
    // With the mesh, not with the test that started it last.
    onEnd(() => this.stopAgent());
  }

  get isProxied(): boolean {
    return this.#envoy !== undefined;
  }

  get envoy(): RunningEnvoy {
    if (this.#envoy === undefined) throw new Error(`${this.name} has no proxy`);
    return this.#envoy;
  }

  get socket(): string {
    return join(this.#controlPlane.directory, `${this.name}.sock`);
  }

  async start(): Promise<void> {
    const { ports = [], meshed = true, proxy = meshed } = this.#spec;
    for (const { targetPort, app } of ports) {
      this.apps.set(targetPort, await app({ name: this.name, host: this.address, port: targetPort }));
    }
    if (!proxy) return;
    await this.startAgent();
    await this.startEnvoy();
  }

  async startAgent(): Promise<void> {
    const stop = new AbortController();
    const ended = runAgent({
      controlPlane: this.#controlPlane.address,
      trustDomain,
      anchors: this.#anchors,
      joinToken: await this.#controlPlane.token(this.name),
      socket: this.socket,
      log: this.log.logger,
      report: {
        connected() {},
        disconnected() {},
        svid() {},
        renewalFailed() {},
        authorization() {},
        decision() {},
      },
      now: () => new Date(),
      random: Math.random,
      signal: stop.signal,
    });
    this.#agent = { stop, ended };
    ended.catch(() => {});
  }

  /** Rejects when the agent had failed. */
  async stopAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    agent?.stop.abort();
    await agent?.ended;
  }

  async startEnvoy(): Promise<void> {
    this.#envoy = await startEnvoy({
      name: this.name,
      // Access logs at once.
      args: ['--file-flush-interval-msec', '50'],
      bootstrap: envoyBootstrap({
        socket: this.socket,
        nodeId: `${namespace}/${this.name}`,
        admin: { kind: 'pipe', path: join(this.#controlPlane.directory, `${this.name}-admin.sock`) },
      }),
    });
  }

  async stopEnvoy(): Promise<void> {
    const envoy = this.#envoy;
    this.#envoy = undefined;
    await envoy?.stop();
  }

  async waitReady(): Promise<void> {
    await this.#envoy?.waitReady();
  }

  get outbound(): Place {
    return { host: this.address, port: outboundPort };
  }

  /** A request of its application to a host, `server` or `server:9000`, through its proxy. */
  call(authority: string, call?: Call): Promise<Answer> {
    return httpCall(this.outbound, authority, call);
  }

  /** The same, to an application that echoes. */
  async echo(authority: string, call?: Call): Promise<Echo> {
    const { status, body } = await this.call(authority, call);
    if (status !== 200) throw new Error(`${authority} answered ${status}: ${body}`);
    return JSON.parse(body) as Echo;
  }

  /** A TCP connection of its application, through its proxy. */
  tunnel(target: string): Promise<Tunnel> {
    return httpTunnel(this.outbound, { connect: target });
  }

  /** Its proxy's access log, one record per request. */
  accessLog(): AccessRecord[] {
    const lines = this.envoy.logs().split('\n');
    return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as AccessRecord] : []));
  }

  openHttp2(): Http2Client {
    return Http2Client.plain(this.outbound);
  }

  /** One of its proxy's statistics; 0 while Envoy has none of that name. */
  async stat(name: string): Promise<number> {
    return (await this.envoy.stats(name))[name] ?? 0;
  }
}
