// A control plane inside the test, with files of its own, a clock that can be moved, and an ear on its log.

import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlPlaneAddress } from '../../src/agent/connect.ts';
import { type ControlPlane, startControlPlane } from '../../src/control-plane/control-plane.ts';
import type { Certificate } from '../../src/crypto/x509/certificate.ts';
import { openAgentRegistry } from '../../src/identity/agent-registry.ts';
import type { CertificateAuthority } from '../../src/identity/ca.ts';
import { openCaDirectory } from '../../src/identity/ca-directory.ts';
import { createJoinToken } from '../../src/identity/join-tokens.ts';
import { createLogger, type Logger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { createReadiness, type Readiness } from '../../src/telemetry/readiness.ts';
import { onEnd } from './cleanup.ts';
import { type Manifest, namespace, rootNamespace, toYaml, trustDomain } from './manifests.ts';
import { freePort, loopbackAddress } from './ports.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface TestLog {
  readonly logger: Logger;
  /** Every line, as it would have been printed. */
  readonly text: string[];
  lines(): LogLine[];
}

export function testLog(): TestLog {
  const text: string[] = [];
  const logger = createLogger({ level: 'trace', format: 'json', write: (line) => text.push(line) });
  return { logger, text, lines: () => text.map((line) => JSON.parse(line) as LogLine) };
}

export interface TestControlPlaneOptions {
  readonly svidLifetimeMs?: number;
  readonly denialReasons?: 'shown' | 'hidden';
  /** Manifests that are there from the start, by file. */
  readonly manifests?: Readonly<Record<string, readonly Manifest[] | string>>;
}

/** A directory under the system's temporary one, removed at the end. Short, because sockets go there. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-test-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export class TestControlPlane {
  readonly directory: string;
  readonly stateDirectory: string;
  readonly manifestsDirectory: string;
  readonly address: ControlPlaneAddress;
  readonly log = testLog();
  readonly metrics: Metrics = createMetrics('test');
  readonly readiness: Readiness<'ca' | 'state'> = createReadiness(['ca', 'state']);
  /** Added to the real time on the control plane's clock. */
  clockOffsetMs = 0;
  readonly #options: TestControlPlaneOptions;
  #running: { readonly controlPlane: ControlPlane; readonly stop: AbortController } | undefined;
  #writes = 0;

  private constructor(directory: string, address: ControlPlaneAddress, options: TestControlPlaneOptions) {
    this.directory = directory;
    this.stateDirectory = join(directory, 'state');
    this.manifestsDirectory = join(directory, 'manifests');
    this.address = address;
    this.#options = options;
  }

  static async start(options: TestControlPlaneOptions = {}): Promise<TestControlPlane> {
    const host = loopbackAddress();
    const address = { host, port: await freePort(host) };
    const self = new TestControlPlane(await temporaryDirectory(), address, options);
    await mkdir(self.manifestsDirectory);
    for (const [file, content] of Object.entries(options.manifests ?? {})) await self.write(file, content);
    await self.start();
    onEnd(() => self.stop());
    return self;
  }

  now = (): Date => new Date(Date.now() + this.clockOffsetMs);

  /** On the same files and the same address as before. */
  async start(): Promise<void> {
    const stop = new AbortController();
    const controlPlane = await startControlPlane({
      stateDirectory: this.stateDirectory,
      desired: { from: 'files', directory: this.manifestsDirectory },
      listen: this.address,
      trustDomain,
      rootNamespace,
      svidLifetimeMs: this.#options.svidLifetimeMs ?? 3_600_000,
      denialReasons: this.#options.denialReasons ?? 'shown',
      log: this.log.logger,
      metrics: this.metrics,
      readiness: this.readiness,
      now: this.now,
      random: Math.random,
      signal: stop.signal,
    });
    this.#running = { controlPlane, stop };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stop.abort();
    await running?.controlPlane.close();
  }

  /** Replaces a manifest file in one step. */
  async write(file: string, content: readonly Manifest[] | string): Promise<void> {
    // Beside the directory that is watched, on the same file system.
    const unfinished = join(this.directory, `write-${this.#writes++}`);
    await writeFile(unfinished, typeof content === 'string' ? content : toYaml(content));
    await rename(unfinished, join(this.manifestsDirectory, file));
  }

  async remove(file: string): Promise<void> {
    await rm(join(this.manifestsDirectory, file), { force: true });
  }

  /** A join token for a pod of the test's namespace. */
  async token(workload: string, ttlMs?: number): Promise<string> {
    const { token } = await createJoinToken({
      dir: this.stateDirectory,
      workload: { namespace, name: workload },
      now: this.now(),
      ...(ttlMs === undefined ? {} : { ttlMs }),
    });
    return token;
  }

  /** The CA with its keys, as whoever stole the state directory would have it. */
  async ca(): Promise<CertificateAuthority> {
    const dir = join(this.stateDirectory, 'ca');
    return (await openCaDirectory({ dir, trustDomain, now: this.now() })).ca;
  }

  async anchors(): Promise<readonly Certificate[]> {
    return (await this.ca()).bundle.anchors;
  }

  async forgetAgents(): Promise<void> {
    const registry = await openAgentRegistry(this.stateDirectory);
    for (const id of await registry.list()) await registry.forget(id);
  }

  /** The value of one metric, 0 where it was never set. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const found = (await this.metrics.registry.getMetricsAsJSON()).find((metric) => metric.name === name);
    const values = (found?.values ?? []) as { value: number; labels: Record<string, string> }[];
    const match = values.find((each) =>
      Object.entries(labels).every(([label, value]) => each.labels[label] === value),
    );
    return match?.value ?? 0;
  }
}
