// Names by DNS, asked by this process itself. getaddrinfo, which dns.lookup calls, holds a thread of the few that a Node.js process has
// until a name's servers answer, and cannot be stopped: four names whose servers are silent would end name resolution for everybody.
// What getaddrinfo does besides is done here as glibc does it in a container: /etc/hosts, then DNS with the search list of
// /etc/resolv.conf. Other sources of names (nsswitch.conf, mDNS) belong to people's machines, where dns.lookup does well.

import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { createReadStream } from 'node:fs';
import { isIP } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { Resolve } from './destination.ts';
import { addressesInHosts, namesToAsk, parseResolvConf } from './name-files.ts';

export interface DnsResolveOptions {
  readonly hosts?: string;
  readonly resolvConf?: string;
  /** `address` or `address:port`, in place of those of resolv.conf. */
  readonly servers?: readonly string[];
  /** How long one server may take for one question. */
  readonly timeoutMs?: number;
  readonly interfaces?: typeof networkInterfaces;
}

/** Less than the 5 s of resolv.conf(5): a lost packet must leave time for another try, and for the registry, within one admission. */
const defaultTimeoutMs = 2_000;
/** Of all servers in turn, as in resolv.conf(5). */
const attempts = 2;
/** Where resolv.conf names none (resolv.conf(5)). */
const localServer = '127.0.0.1';

/** Of each file. Those of a container have some hundred bytes, and are parsed for each lookup. */
const maxFileBytes = 256 * 1024;
/** Of one family. Whoever owns a name can give it thousands, each of which is checked, and tried. */
const maxAddresses = 32;

/**
 * Addresses as getaddrinfo would return them, IPv4 first. The files are read anew each time: that costs less than the connection that
 * follows, and nothing can be out of date.
 */
export function dnsResolve(options: DnsResolveOptions = {}): Resolve {
  const { hosts = '/etc/hosts', resolvConf = '/etc/resolv.conf', timeoutMs = defaultTimeoutMs } = options;

  return async (host, _, signal) => {
    if (isIP(host) !== 0) return [{ address: host, family: isIP(host) }];
    const [hostsText, confText] = await Promise.all([textOf(hosts), textOf(resolvConf)]);
    const families = familiesOf((options.interfaces ?? networkInterfaces)());
    const listed = addressesInHosts(hostsText, host).filter(({ family }) => families.includes(family));
    if (listed.length > 0) return listed;
    const conf = parseResolvConf(confText);
    const servers = options.servers ?? (conf.servers.length > 0 ? conf.servers : [localServer]);
    let failure: unknown;
    for (const name of namesToAsk(host, conf)) {
      try {
        const found = await askAll({ name, families, timeoutMs, signal }, servers);
        if (found.length > 0) return found;
      } catch (error) {
        signal?.throwIfAborted();
        // Another name of the list may be there.
        failure ??= error;
      }
    }
    throw failure === undefined ? notFound(host) : notNow(host, failure);
  };
}

interface Question {
  /** Whole. */
  readonly name: string;
  readonly families: readonly number[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The first word that a server has, which may be that there is nothing; what the last one failed with when none has any. */
async function askAll(question: Question, servers: readonly string[]): Promise<readonly LookupAddress[]> {
  let failure: unknown;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    for (const server of servers) {
      question.signal?.throwIfAborted();
      try {
        return await ask(question, server);
      } catch (error) {
        failure = error;
      }
    }
  }
  throw failure;
}

/** A resolver of its own, because one that is cancelled drops all of its questions. */
async function ask(
  { name, families, timeoutMs, signal }: Question,
  server: string,
): Promise<readonly LookupAddress[]> {
  const resolver = new Resolver({ timeout: timeoutMs, maxTimeout: timeoutMs, tries: 1 });
  resolver.setServers([server]);
  const cancel = (): void => resolver.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled(families.map((family) => addressesOf(resolver, name, family)));
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    // Servers that know nothing of IPv6 are no reason not to use IPv4.
    if (found.length > 0 || failed === undefined) return found;
    throw failed.reason;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** NXDOMAIN, NODATA, and names that DNS cannot have. */
const nothing: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

async function addressesOf(
  resolver: Resolver,
  name: string,
  family: number,
): Promise<readonly LookupAddress[]> {
  try {
    const found = family === 4 ? await resolver.resolve4(name) : await resolver.resolve6(name);
    return found.slice(0, maxAddresses).map((address) => ({ address, family }));
  } catch (error) {
    if (error instanceof Error && 'code' in error && nothing.has(error.code)) return [];
    throw error;
  }
}

/**
 * Those that this machine can connect with (AI_ADDRCONFIG of getaddrinfo), both where it has no network at all. An address that cannot
 * be reached costs the others their time. Other than to glibc, a link-local address is none: nothing outside is reached with it.
 */
function familiesOf(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): readonly number[] {
  const own = Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
  const [has4, has6] = ['IPv4', 'IPv6'].map((family) => own.some((each) => each.family === family));
  return [...(has4 || !has6 ? [4] : []), ...(has6 || !has4 ? [6] : [])];
}

async function textOf(path: string): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      bytes += piece.byteLength;
      if (bytes > maxFileBytes) throw new Error(`${path} is larger than ${maxFileBytes} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The codes that getaddrinfo has for it. */
function notFound(host: string): Error {
  return Object.assign(new Error(`there is no ${host}`), { code: 'ENOTFOUND' });
}

function notNow(host: string, cause: unknown): Error {
  return Object.assign(new Error(`${host} cannot be resolved now`, { cause }), { code: 'EAI_AGAIN' });
}
