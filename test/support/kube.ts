// A real Kubernetes control plane for tests: etcd and kube-apiserver, if asked for kube-controller-manager too, on an address
// of loopback that nobody else has. Whoever answers there is known to be what was started here: etcd by a random name, the API
// server by a certificate that it made in our directory and by its knowing a random token, the store behind it by its prefix.

import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { onEnd } from './cleanup.ts';
import { type Etcd, startEtcd } from './kube/etcd.ts';
import { writeAccess } from './kube/kubeconfig.ts';
import { type Program, startProgram } from './kube/program.ts';
import { untilReady } from './kube/ready.ts';
import { freePort, loopbackAddress } from './ports.ts';
import { makeTls, type TlsFiles } from './registry/tls.ts';
import { testTool } from './tools.ts';

export interface KubeOptions {
  /** Makes service accounts, endpoint slices, replicas, collects garbage. Without it no pod needs a service account. */
  readonly controllerManager?: boolean;
  /** E.g. `1.34`: which version the API server behaves as. */
  readonly emulatedVersion?: string;
  /** More of kube-apiserver's own. */
  readonly apiServerArgs?: readonly string[];
}

export interface Kube {
  /** `https://127.a.b.c:port` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** PEM of what signs the API server's certificate, and where it is. */
  readonly ca: string;
  readonly caFile: string;
  /** Of a member of system:masters. */
  readonly token: string;
  /** A client certificate that the API server knows as the user `Test registry`, who may do nothing. */
  readonly client: TlsFiles;
  readonly kubeconfig: string;
  readonly apiServer: Program;
  readonly etcd: Etcd;
  /** One request as administrator (or with another token). Never rejects because of the status. */
  request(method: string, path: string, body?: unknown, options?: KubeRequestOptions): Promise<KubeAnswer>;
  /** The object as it was made. Rejects when it is refused. */
  create(path: string, object: object): Promise<KubeObject>;
  kubectl(args: readonly string[], options?: { readonly stdin?: string }): Promise<KubectlResult>;
  tokenFor(namespace: string, serviceAccount: string): Promise<string>;
  /** Ours, and waits until they are served. */
  applyCrds(): Promise<void>;
  /** SIGKILL for the API server and etcd, then both again with the same data; resolves when they serve. */
  restart(): Promise<void>;
  /** Resolves when the API server serves. */
  ready(): Promise<void>;
}

export interface KubeRequestOptions {
  readonly token?: string;
  readonly contentType?: string;
}

export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface KubeObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly uid: string };
}

export interface KubectlResult {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const crds = join(import.meta.dirname, '../../charts/trellis/crds');
const kubectlTimeoutMs = 50_000;

/** Resolves when it serves, with its bootstrap roles in place. Ended with the test, or the test file, that started it. */
export async function startKube(options: KubeOptions = {}): Promise<Kube> {
  const assets = await testTool('kube');
  const directory = await mkdtemp(join(tmpdir(), 'trellis-kube-'));
  onEnd(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const host = loopbackAddress();
  const etcd = await startEtcd(assets, directory, host);
  onEnd(() => etcd.program.stop());
  const port = await freePort(host);
  const url = `https://${host}:${port}`;
  const secrets = await writeSecrets(directory, url);
  const prefix = `/${randomBytes(8).toString('hex')}`;
  const env = { PATH: '/nonexistent', HOME: directory };
  await etcd.ready();
  const apiServer = await startProgram({
    path: join(assets, 'kube-apiserver'),
    args: apiServerArgs({ host, port, directory, etcd, prefix, secrets, options }),
    env,
    logFile: join(directory, 'kube-apiserver.log'),
  });
  onEnd(() => apiServer.stop());
  const caFile = join(directory, 'certificates/apiserver.crt');
  const ca = await untilReady('kube-apiserver', apiServer, () => readCertificate(caFile));
  const dispatcher = new Agent({ connect: { ca } });
  onEnd(() => dispatcher.destroy());
  const send = sender(url, dispatcher, secrets.token);
  const ready = async (): Promise<void> => {
    await untilReady('kube-apiserver', apiServer, async () => {
      const { status, body } = await send('GET', '/readyz');
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    });
  };
  await ready();
  if ((await etcd.count(prefix)) === 0) throw new Error('the API server keeps its objects somewhere else');
  if (options.controllerManager === true) {
    const manager = await startProgram({
      path: join(assets, 'kube-controller-manager'),
      args: controllerManagerArgs(secrets),
      env,
      logFile: join(directory, 'kube-controller-manager.log'),
    });
    onEnd(() => manager.stop());
  }
  const kubectl = kubectlRunner(assets, directory, secrets.kubeconfig);
  return {
    ...{ url, host, port, ca, caFile, apiServer, etcd, kubectl, ready },
    ...{ token: secrets.token, client: secrets.client, kubeconfig: secrets.kubeconfig },
    request: send,
    create: async (path, object) => {
      const { status, body } = await send('POST', path, object);
      if (status !== 201) throw new Error(`POST ${path}: ${status} ${JSON.stringify(body)}`);
      return body as KubeObject;
    },
    tokenFor: async (namespace, account) => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
      const { status, body } = await send('POST', path, { spec: { expirationSeconds: 3600 } });
      if (status !== 201) throw new Error(`no token for ${namespace}/${account}: ${JSON.stringify(body)}`);
      return (body as { status: { token: string } }).status.token;
    },
    applyCrds: async () => {
      const applied = await kubectl(['apply', '-f', crds]);
      if (applied.status !== 0) throw new Error(applied.stderr);
      const wait = ['wait', '--for=condition=Established', '--timeout=40s', '-f', crds];
      const established = await kubectl(wait);
      if (established.status !== 0) throw new Error(established.stderr);
    },
    restart: async () => {
      await apiServer.kill();
      await etcd.program.kill();
      await etcd.program.start();
      await etcd.ready();
      await apiServer.start();
      await ready();
    },
  };
}

interface Secrets {
  readonly token: string;
  readonly tokenFile: string;
  readonly accountKeyFile: string;
  readonly client: TlsFiles;
  readonly kubeconfig: string;
}

async function writeSecrets(directory: string, server: string): Promise<Secrets> {
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const token = randomBytes(24).toString('hex');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'sec1' }).toString();
  // The API server makes this one, in the directory that it is told.
  const caFile = join(directory, 'certificates/apiserver.crt');
  return {
    token,
    tokenFile: await write('tokens.csv', `${token},admin,admin,system:masters\n`),
    accountKeyFile: await write('service-accounts.pem', pem),
    client: await makeTls(),
    kubeconfig: await writeAccess(directory, { server, caFile, token }),
  };
}

interface ApiServerSettings {
  readonly host: string;
  readonly port: number;
  readonly directory: string;
  readonly etcd: Etcd;
  readonly prefix: string;
  readonly secrets: Secrets;
  readonly options: KubeOptions;
}

function apiServerArgs({
  host,
  port,
  directory,
  etcd,
  prefix,
  secrets,
  options,
}: ApiServerSettings): string[] {
  const withoutAccounts = options.controllerManager === true ? [] : ['ServiceAccount'];
  const emulated = options.emulatedVersion === undefined ? [] : [`kube=${options.emulatedVersion}`];
  return [
    `--etcd-servers=${etcd.url}`,
    `--etcd-prefix=${prefix}`,
    `--bind-address=${host}`,
    `--advertise-address=${host}`,
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, 'certificates')}`,
    // An endpoint of the Service `kubernetes` may not be on loopback.
    '--endpoint-reconciler-type=none',
    `--token-auth-file=${secrets.tokenFile}`,
    `--client-ca-file=${secrets.client.caFile}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${secrets.accountKeyFile}`,
    `--service-account-signing-key-file=${secrets.accountKeyFile}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    ...withoutAccounts.map((plugin) => `--disable-admission-plugins=${plugin}`),
    ...emulated.map((version) => `--emulated-version=${version}`),
    ...(options.apiServerArgs ?? []),
  ];
}

function controllerManagerArgs(secrets: Secrets): string[] {
  return [
    `--kubeconfig=${secrets.kubeconfig}`,
    `--service-account-private-key-file=${secrets.accountKeyFile}`,
    '--use-service-account-credentials=false',
    '--leader-elect=false',
    // It serves nothing.
    '--secure-port=0',
  ];
}

/** The file is complete when it ends as a certificate does. */
async function readCertificate(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  if (!text.endsWith('-----END CERTIFICATE-----\n')) throw new Error('not written yet');
  return text;
}

function sender(url: string, dispatcher: Agent, adminToken: string): Kube['request'] {
  return async (method, path, body, { token = adminToken, contentType = 'application/json' } = {}) => {
    const answer = await request(`${url}${path}`, {
      method: method as 'GET',
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: 20_000,
      bodyTimeout: 20_000,
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).includes('json');
    return { status: answer.statusCode, body: isJson ? JSON.parse(text) : text };
  };
}

function kubectlRunner(assets: string, directory: string, kubeconfig: string): Kube['kubectl'] {
  return async (args, { stdin = '' } = {}) => {
    const child = spawn(join(assets, 'kubectl'), args, {
      timeout: kubectlTimeoutMs,
      env: { PATH: '/nonexistent', HOME: directory, KUBECONFIG: kubeconfig },
    });
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    const [status] = (await once(child, 'close')) as [number | null];
    return { status: status ?? undefined, stdout: stdout(), stderr: stderr() };
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
