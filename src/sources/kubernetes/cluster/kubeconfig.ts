// kubeconfig files: one context with a server, a CA and a token or client certificate, inline or in files.
//
// Refused, because what they ask for would not happen: programs that fetch credentials (exec, auth-provider), passwords,
// impersonation, proxies, and connections whose certificate is not checked.

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { firstLine } from '../../../model/problem.ts';
import { readWith } from '../../../model/read-with.ts';
import { KubernetesError } from '../errors.ts';
import type { ClusterAccess, Material } from './access.ts';

const maxKubeconfigBytes = 1024 * 1024;
const maxAliases = 100;

const text = z.string().min(1).nullish();
const cluster = z.object({
  server: z.string(),
  'tls-server-name': text,
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'proxy-url': text,
});
const user = z.object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: z.unknown().optional(),
  'auth-provider': z.unknown().optional(),
  username: text,
  password: text,
  as: text,
});
const context = z.object({ cluster: z.string(), user: z.string(), namespace: text });
const kubeconfig = z.object({
  'current-context': text,
  clusters: z.array(z.object({ name: z.string(), cluster })),
  users: z.array(z.object({ name: z.string(), user: user.nullish() })).nullish(),
  contexts: z.array(z.object({ name: z.string(), context })),
});

type Cluster = z.infer<typeof cluster>;
type User = z.infer<typeof user>;

/**
 * @param contextName the current context unless given
 * @throws KubernetesError ERR_KUBE_CONFIGURATION that says what is wrong in which file
 */
export async function accessFromKubeconfig(file: string, contextName?: string): Promise<ClusterAccess> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    throw refusal(file, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return parseKubeconfig(content, file, contextName);
}

/** `file` is how messages call it, and paths in it are relative to its directory. */
export function parseKubeconfig(content: string, file: string, contextName?: string): ClusterAccess {
  const config = read(content, file);
  const wanted = contextName ?? config['current-context'];
  if (wanted == null) throw refusal(file, 'has no current-context; set one, or name a context');
  const chosen = find(config.contexts, wanted, 'context', file).context;
  const ofCluster = find(config.clusters, chosen.cluster, 'cluster', file).cluster;
  const ofUser = find(config.users ?? [], chosen.user, 'user', file).user;
  const access = { ...clusterAccess(ofCluster, file), ...userAccess(ofUser ?? {}, file) };
  return { ...access, namespace: chosen.namespace ?? undefined };
}

function read(content: string, file: string): z.infer<typeof kubeconfig> {
  if (content.length > maxKubeconfigBytes) throw refusal(file, 'is too large for a kubeconfig');
  let plain: unknown;
  try {
    plain = parse(content, { maxAliasCount: maxAliases, logLevel: 'error' });
  } catch (cause) {
    throw refusal(
      file,
      `is not valid YAML: ${firstLine(cause instanceof Error ? cause.message : String(cause))}`,
    );
  }
  const { value, issues } = readWith(kubeconfig, plain);
  // Not the issue's message, which quotes the value it finds: here that may be a credential.
  if (value === undefined)
    throw refusal(
      file,
      `is not a kubeconfig: ${issues[0]?.path.join('.') || 'its content'} is missing or wrong`,
    );
  return value;
}

function find<T extends { readonly name: string }>(
  all: readonly T[],
  name: string,
  what: string,
  file: string,
): T {
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw refusal(
    file,
    `has no ${what} ${JSON.stringify(name)}; there are ${all.map((each) => each.name).join(', ') || 'none'}`,
  );
}

function clusterAccess(given: Cluster, file: string): Pick<ClusterAccess, 'server' | 'tlsServerName' | 'ca'> {
  const server = URL.parse(given.server);
  if (server?.protocol !== 'https:') {
    throw refusal(file, 'names a server that is no https:// URL; credentials are not sent without TLS');
  }
  if (given['insecure-skip-tls-verify'] === true) {
    throw refusal(
      file,
      'asks not to verify the server (insecure-skip-tls-verify); give its certificate-authority',
    );
  }
  if (given['proxy-url'] != null) throw refusal(file, 'asks for a proxy (proxy-url), which is not supported');
  return {
    server,
    tlsServerName: given['tls-server-name'] ?? undefined,
    ca: material(given['certificate-authority-data'], given['certificate-authority'], file),
  };
}

const unsupported = ['exec', 'auth-provider', 'username', 'password', 'as'] as const;

function userAccess(given: Partial<User>, file: string): Pick<ClusterAccess, 'token' | 'client'> {
  const refused = unsupported.find((key) => given[key] != null);
  if (refused !== undefined) {
    throw refusal(
      file,
      `has a user with ${refused}, which is not supported; give a token, tokenFile or client certificate`,
    );
  }
  const certificate = material(given['client-certificate-data'], given['client-certificate'], file);
  const key = material(given['client-key-data'], given['client-key'], file);
  if ((certificate === undefined) !== (key === undefined)) {
    throw refusal(file, 'has a client certificate without its key, or a key without certificate');
  }
  // As kubectl: the file is what is renewed.
  const token =
    given.tokenFile != null
      ? fileOf(given.tokenFile, file)
      : given.token != null
        ? { text: given.token }
        : undefined;
  return { token, client: certificate && key && { certificate, key } };
}

function material(
  data: string | null | undefined,
  path: string | null | undefined,
  file: string,
): Material | undefined {
  // As kubectl: data wins.
  if (data != null) return { text: Buffer.from(data, 'base64').toString('utf8') };
  return path == null ? undefined : fileOf(path, file);
}

function fileOf(path: string, file: string): Material {
  return { file: resolve(dirname(file), path) };
}

function refusal(file: string, problem: string): KubernetesError {
  return new KubernetesError('ERR_KUBE_CONFIGURATION', `${file} ${problem}`);
}
