// Real registries for tests: distribution (no referrers API, so the fallback tag) and go-containerregistry's (with it), on
// loopback, each with or without authentication and TLS, ended with the test that started them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { onEnd } from './cleanup.ts';
import { freePort } from './ports.ts';
import { makeTls, type TlsFiles } from './registry/tls.ts';
import { startTokenServer, tokenIssuer, tokenService } from './registry/token-server.ts';
import { testTool } from './tools.ts';

export type RegistryKind = 'distribution' | 'ggcr';
export const registryKinds: readonly RegistryKind[] = ['distribution', 'ggcr'];

export interface TestRegistryOptions {
  /** `distribution` has no referrers API, `ggcr` has. */
  readonly kind: RegistryKind;
  /** None unless given. */
  readonly auth?: 'basic' | 'bearer';
  /** By a private CA. */
  readonly tls?: boolean;
}

export interface TestRegistry {
  readonly kind: RegistryKind;
  /** `127.0.0.1:port`, as it stands in references. */
  readonly host: string;
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string;
  readonly pid: number;
  /** PEM of its CA, and a file with it; undefined without TLS. */
  readonly ca: string | undefined;
  readonly caFile: string | undefined;
  /** A directory for DOCKER_CONFIG, with the credentials when there are any. */
  readonly dockerConfig: string;
  /** Sends a request with the authorization that it needs: for preparing and for looking. */
  request(method: string, path: string, body?: Uint8Array, contentType?: string): Promise<RegistryAnswer>;
  stop(): Promise<void>;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What every test registry with authentication knows. */
export const testAccount = {
  user: 'trellis',
  password: 'correct horse battery',
  identityToken: 'identity-of-trellis',
} as const;
/** bcrypt of the password, as htpasswd files have it. */
const passwordHash = '$2y$05$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.';

/** distribution has no index for who does not name the type. */
const accept = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  '*/*',
].join(', ');

/** A registry serves in 50 ms; this is for a machine in trouble. */
const readyTimeoutMs = 20_000;
const stopTimeoutMs = 5_000;
/** Another program may take the port between our look and the registry's start. */
const maxStarts = 3;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

interface Started {
  readonly child: ChildProcess;
  readonly host: string;
  readonly realm: string | undefined;
}

/** Resolves when it serves. */
export async function startRegistry(options: TestRegistryOptions): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-registry-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const tls = options.tls === true ? await makeTls() : undefined;
  for (let start = 1; ; start += 1) {
    try {
      const launch = options.kind === 'distribution' ? startDistribution : startGgcr;
      return await serve(options, await launch(options, directory, tls), directory, tls);
    } catch (error) {
      if (start === maxStarts) throw error;
    }
  }
}

async function serve(
  options: TestRegistryOptions,
  { child, host, realm }: Started,
  directory: string,
  tls: TlsFiles | undefined,
): Promise<TestRegistry> {
  const url = `${tls === undefined ? 'http' : 'https'}://${host}`;
  const dispatcher = new Agent({ connect: tls === undefined ? {} : { ca: tls.ca }, pipelining: 0 });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
  };
  onEnd(async () => {
    await stop();
    await dispatcher.destroy();
  });
  const send = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Uint8Array,
  ): Promise<RegistryAnswer> => {
    const target = path.startsWith('/') ? `${url}${path}` : path;
    const answer = await request(target, {
      method: method as 'GET',
      headers,
      dispatcher,
      body: body === undefined ? null : Buffer.from(body),
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: answer.headers, body: bytes };
  };
  await waitReady(child, options.kind, () => send('GET', '/v2/', {}));
  return {
    kind: options.kind,
    host,
    url,
    pid: child.pid ?? 0,
    ca: tls?.ca,
    caFile: tls?.caFile,
    dockerConfig: await writeDockerConfig(directory, host, options.auth !== undefined),
    request: async (method, path, body, contentType = 'application/octet-stream') => {
      const authorization = await authorize(options.auth, realm, path);
      const headers = { ...authorization, accept, ...(body && { 'content-type': contentType }) };
      return await send(method, path, headers, body);
    },
    stop,
  };
}

async function waitReady(
  child: ChildProcess,
  name: string,
  look: () => Promise<RegistryAnswer>,
): Promise<void> {
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-10_000);
  });
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} has ended:\n${log}`);
    const status = await look().then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200 || status === 401) return;
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} does not get ready:\n${log}`);
    }
    await sleep(10);
  }
}

function start(path: string, args: readonly string[], stdout: 'ignore' | 'pipe'): ChildProcess {
  const child = spawn(path, args, { stdio: ['pipe', stdout, 'pipe'] });
  running.add(child);
  child.on('error', () => running.delete(child));
  child.on('exit', () => running.delete(child));
  // It may end before it has read its options.
  child.stdin?.on('error', () => {});
  return child;
}

async function startDistribution(
  { auth }: TestRegistryOptions,
  directory: string,
  tls: TlsFiles | undefined,
): Promise<Started> {
  const host = `127.0.0.1:${await freePort()}`;
  const signer = auth === 'bearer' ? await makeTls() : undefined;
  const realm = signer === undefined ? undefined : (await startTokenServer(signer, testAccount, tls)).url;
  const passwords = join(directory, 'htpasswd');
  await writeFile(passwords, `${testAccount.user}:${passwordHash}\n`);
  const methods = {
    basic: { htpasswd: { realm: 'test', path: passwords } },
    bearer: {
      token: { realm, service: tokenService, issuer: tokenIssuer, rootcertbundle: signer?.caFile },
    },
  };
  // YAML is a superset of JSON.
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { inmemory: {}, delete: { enabled: true } },
    http: {
      addr: host,
      secret: 'test',
      ...(tls && { tls: { certificate: tls.certFile, key: tls.keyFile } }),
    },
    ...(auth && { auth: methods[auth] }),
  };
  const file = join(directory, 'config.yml');
  await writeFile(file, JSON.stringify(config));
  const child = start(await testTool('docker-registry'), ['serve', file], 'ignore');
  return { child, host, realm };
}

async function startGgcr(
  { auth }: TestRegistryOptions,
  _directory: string,
  tls: TlsFiles | undefined,
): Promise<Started> {
  const child = start(await testTool('oci-registry'), [], 'pipe');
  const options = {
    address: '127.0.0.1:0',
    auth: auth ?? '',
    ...testAccount,
    ...(tls && { certFile: tls.certFile, keyFile: tls.keyFile }),
  };
  child.stdin?.write(`${JSON.stringify(options)}\n`);
  if (child.stdout === null) throw new Error('oci-registry has no standard output');
  const [line] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown];
  const host = String(line).trim();
  const realm = `${tls === undefined ? 'http' : 'https'}://${host}/token`;
  return { child, host, realm: auth === 'bearer' ? realm : undefined };
}

async function writeDockerConfig(directory: string, host: string, auth: boolean): Promise<string> {
  const basic = Buffer.from(`${testAccount.user}:${testAccount.password}`).toString('base64');
  const config = auth ? { auths: { [host]: { auth: basic } } } : {};
  await writeFile(join(directory, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  return directory;
}

async function authorize(
  auth: TestRegistryOptions['auth'],
  realm: string | undefined,
  path: string,
): Promise<Record<string, string>> {
  if (auth === undefined) return {};
  const basic = Buffer.from(`${testAccount.user}:${testAccount.password}`).toString('base64');
  if (auth === 'basic' || realm === undefined) return { authorization: `Basic ${basic}` };
  const name = /\/v2\/(.+?)\/(?:blobs|manifests|referrers|tags)\//.exec(path)?.[1] ?? '';
  const url = `${realm}?service=${tokenService}&scope=repository:${name}:pull,push`;
  // Its certificate is of the same private CA, or it has none: nothing here is about that.
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const answer = await request(url, { headers: { authorization: `Basic ${basic}` }, dispatcher });
  const { token } = (await answer.body.json()) as { token: string };
  await dispatcher.close();
  return { authorization: `Bearer ${token}` };
}
