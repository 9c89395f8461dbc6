// Real Envoys for tests: each a process of its own with its own directory and admin socket, ended with the test that
// started it (or with the test file, when a hook did).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../src/cli/tools/process.ts';
import { testEnvoy } from './tools.ts';

/** An Envoy is ready in 60 ms; this is for a machine in trouble. */
const readyTimeoutMs = 20_000;
const validateTimeoutMs = 30_000;
const stopTimeoutMs = 5000;
const requestTimeoutMs = 5000;
/** Of each Envoy's log, the end. */
const maxLogChars = 4 * 1024 * 1024;

/** A bootstrap configuration as an object or as YAML text. */
export type EnvoyConfig = object | string;

export interface EnvoyOptions {
  /** For messages, and the node id when the bootstrap has none. */
  readonly name: string;
  /** Gets an admin interface on a Unix socket when it has none. */
  readonly bootstrap: EnvoyConfig;
  /** More command line arguments, e.g. `['--drain-time-s', '1']`. */
  readonly args?: readonly string[];
}

export interface AdminResponse {
  readonly status: number;
  readonly body: string;
}

export interface RunningEnvoy {
  readonly pid: number;
  /** Its own directory, removed when it is stopped. */
  readonly directory: string;
  adminGet(path: string): Promise<AdminResponse>;
  adminPost(path: string): Promise<AdminResponse>;
  /** Counters and gauges whose names start with `prefix`. */
  stats(prefix: string): Promise<Readonly<Record<string, number>>>;
  configDump(): Promise<unknown>;
  /** Resolves when all it was configured with is loaded; rejects with the end of its log when it ends instead. */
  waitReady(): Promise<void>;
  /** Orderly (SIGTERM), unless `signal` says otherwise; killed when it does not obey. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Everything it has printed. */
  logs(): string;
}

const running = new Set<ChildProcess>();
const stops = new Set<() => Promise<void>>();

// Registered in the test file that imports this module.
afterAll(async () => {
  await Promise.all([...stops].map((stop) => stop()));
});
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts Envoy and returns at once; `waitReady` tells how it went. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const { path } = await testEnvoy();
  const directory = await mkdtemp(join(tmpdir(), 'trellis-envoy-'));
  const bootstrap = withAdmin(options.bootstrap, options.name, directory);
  const config = join(directory, 'bootstrap.json');
  await writeFile(config, JSON.stringify(bootstrap));
  // Hot restart is what makes Envoys on one machine meet: base ids and shared memory. Without it there is nothing to share.
  const args = ['-c', config, '--disable-hot-restart', '--concurrency', '1', ...(options.args ?? [])];
  const child = spawn(path, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const envoy = wrap(options.name, child, directory, adminAddress(bootstrap));
  stops.add(envoy.stop);
  try {
    onTestFinished(() => envoy.stop());
  } catch {
    // Started from a hook, or from a concurrent test: it lives until the end of the file.
  }
  if (child.pid === undefined) {
    await envoy.stop();
    throw new Error(`${options.name}: cannot start ${path}`);
  }
  return envoy;
}

function wrap(name: string, child: ChildProcess, directory: string, admin: AdminAddress): RunningEnvoy {
  running.add(child);
  let log = '';
  const collect = (chunk: string): void => {
    log = (log + chunk).slice(-maxLogChars);
  };
  child.stdout?.setEncoding('utf8').on('data', collect);
  child.stderr?.setEncoding('utf8').on('data', collect);
  let ended: string | undefined;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended ??= code === null ? `ended by ${signal}` : `ended with code ${code}`;
    running.delete(child);
  });
  const get = (path: string): Promise<AdminResponse> => call(admin, 'GET', path);

  async function waitReady(): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs;
    for (;;) {
      if (ended !== undefined) throw new Error(`${name} ${ended}:\n${tail(log)}`);
      const answer = await get('/ready').catch(() => undefined);
      if (answer?.status === 200) return;
      if (performance.now() > deadline) throw new Error(`${name} does not get ready:\n${tail(log)}`);
      await sleep(10);
    }
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    stops.delete(stop);
    if (ended === undefined && child.pid !== undefined) {
      const gone = once(child, 'exit');
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await gone;
      clearTimeout(timer);
    }
    running.delete(child);
    await rm(directory, { recursive: true, force: true });
  }

  return {
    pid: child.pid ?? -1,
    directory,
    adminGet: get,
    adminPost: (path) => call(admin, 'POST', path),
    stats: async (prefix) => {
      const filter = encodeURIComponent(`^${prefix.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
      return parseStats((await get(`/stats?format=json&filter=${filter}`)).body);
    },
    configDump: async () => JSON.parse((await get('/config_dump?include_eds')).body),
    waitReady,
    stop,
    logs: () => log,
  };
}

function tail(log: string): string {
  return log.trimEnd().split('\n').slice(-20).join('\n');
}

function parseStats(body: string): Record<string, number> {
  const { stats } = JSON.parse(body) as { stats: { name?: string; value?: unknown }[] };
  const numbers: Record<string, number> = {};
  for (const { name, value } of stats) {
    // Histograms and text values have no number of their own.
    if (name !== undefined && typeof value === 'number') numbers[name] = value;
  }
  return numbers;
}

/** Where the admin interface listens: a Unix socket or a TCP port. */
type AdminAddress = { socketPath: string } | { host: string; port: number };

interface BootstrapParts {
  admin?: { address?: { pipe?: { path: string }; socket_address?: { address: string; port_value: number } } };
  node?: object;
}

function toObject(config: EnvoyConfig): BootstrapParts {
  return typeof config === 'string' ? (parse(config) as BootstrapParts) : config;
}

function withAdmin(config: EnvoyConfig, name: string, directory: string): BootstrapParts {
  const bootstrap = toObject(config);
  return {
    ...bootstrap,
    node: bootstrap.node ?? { id: name, cluster: 'test' },
    admin: bootstrap.admin ?? { address: { pipe: { path: join(directory, 'admin.sock') } } },
  };
}

function adminAddress({ admin }: BootstrapParts): AdminAddress {
  const { pipe, socket_address: tcp } = admin?.address ?? {};
  if (pipe !== undefined) return { socketPath: pipe.path };
  if (tcp !== undefined) return { host: tcp.address, port: tcp.port_value };
  throw new Error('the bootstrap has an admin interface without an address');
}

function call(admin: AdminAddress, method: string, path: string): Promise<AdminResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...admin, method, path, timeout: requestTimeoutMs, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`admin ${path}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export interface Validation {
  readonly ok: boolean;
  /** What Envoy complains about. */
  readonly stderr: string;
}

/** Asks Envoy itself whether it would accept a bootstrap configuration, without serving it. */
export async function validateEnvoy(config: EnvoyConfig): Promise<Validation> {
  const { path } = await testEnvoy();
  const directory = await mkdtemp(join(tmpdir(), 'trellis-envoy-'));
  try {
    const file = join(directory, 'bootstrap.json');
    await writeFile(file, JSON.stringify(toObject(config)));
    const args = ['--mode', 'validate', '-c', file, '--disable-hot-restart', '--concurrency', '1'];
    const result = await run(path, args, { env: process.env, timeoutMs: validateTimeoutMs });
    return { ok: result.status === 0, stderr: result.stderr };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
