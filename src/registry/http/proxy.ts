// Proxies by environment: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go's httpproxy package reads them, so that every
// container tool on a machine goes the same way.

import { BlockList, isIP } from 'node:net';
import { RegistryError } from '../errors.ts';
import { isIn } from './addresses.ts';
import { isLoopbackName } from './destination.ts';

/** The proxy for a URL; undefined when there is none. */
export type ProxyFor = (url: URL) => URL | undefined;

export const noProxy: ProxyFor = () => undefined;

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION for a variable that is no proxy's address */
export function proxiesOf(env: NodeJS.ProcessEnv): ProxyFor {
  const https = proxyUrl(env, 'HTTPS_PROXY', 'https_proxy');
  const http = proxyUrl(env, 'HTTP_PROXY', 'http_proxy');
  const isException = exceptions(env['NO_PROXY'] ?? env['no_proxy'] ?? '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http;
    if (proxy === undefined || isLoopbackName(url.hostname) || isException(url)) return undefined;
    return proxy;
  };
}

function proxyUrl(env: NodeJS.ProcessEnv, ...names: readonly string[]): URL | undefined {
  const name = names.find((each) => (env[each] ?? '') !== '');
  const text = env[name ?? ''] ?? '';
  if (text === '') return undefined;
  const url = URL.parse(/^[a-z][a-z0-9]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '')
    return url;
  // The value may hold a password.
  throw new RegistryError(
    'ERR_REGISTRY_CONFIGURATION',
    `the environment variable ${name} is no proxy's address: give one as http://proxy.example:3128`,
  );
}

type Exception = (host: string, port: string) => boolean;

function exceptions(text: string): (url: URL) => boolean {
  const all = text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map(exception);
  return (url) => {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    return all.some((matches) => matches(host, port));
  };
}

function exception(entry: string): Exception {
  if (entry === '*') return () => true;
  const [, network, bits] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (network !== undefined && isIP(network) !== 0 && Number(bits) <= (isIP(network) === 6 ? 128 : 32)) {
    const list = new BlockList();
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4');
    return (host) => isIn(list, host);
  }
  const { name, port } = splitPort(entry);
  const matchesPort = (actual: string): boolean => port === undefined || port === actual;
  if (name.startsWith('.') || name.startsWith('*.')) {
    const suffix = name.replace(/^\*/, '');
    return (host, actual) => host.endsWith(suffix) && matchesPort(actual);
  }
  if (isIP(name) !== 0) return (host, actual) => host === name && matchesPort(actual);
  return (host, actual) => (host === name || host.endsWith(`.${name}`)) && matchesPort(actual);
}

function splitPort(entry: string): { readonly name: string; readonly port: string | undefined } {
  const [, v6, v6Port] = /^\[(.*)\](?::(\d+))?$/.exec(entry) ?? [];
  if (v6 !== undefined) return { name: v6, port: v6Port };
  if (isIP(entry) === 6) return { name: entry, port: undefined };
  const [name = '', port] = entry.split(':');
  return { name, port };
}
