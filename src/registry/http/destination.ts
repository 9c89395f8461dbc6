// Where connections may go. The rule is about the address that is connected to, not about names: it is applied to what
// name resolution returned, in the very call that connects, so that a name that resolves differently the next time
// (DNS rebinding) gains nothing.

import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { type BlockList, isIP, type LookupFunction } from 'node:net';
import { RegistryError } from '../errors.ts';
import { blockList, isIn, kindOfAddress } from './addresses.ts';

/** On whose word a connection is made, which says where it may end. */
export type Zone =
  /** A registry that is named as loopback: it and what it redirects to may be on this machine. */
  'loopback' | 'public';

/**
 * All addresses of a name, as dns.lookup finds them. Rejects with a code of getaddrinfo's (ENOTFOUND, EAI_AGAIN).
 * @param signal its end says that nobody wants them any more
 */
export type Resolve = (
  host: string,
  options: LookupOptions,
  signal: AbortSignal | undefined,
) => Promise<readonly LookupAddress[]>;

const systemResolve: Resolve = (host, options) => lookup(host, { ...options, all: true });

export interface DestinationRules {
  /** Networks that may be connected to although they are loopback or link-local. */
  readonly allowed: BlockList;
  /** `host` or `host:port` of registries that are spoken to without TLS. */
  readonly plainHttp: ReadonlySet<string>;
  readonly resolve: Resolve;
}

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION for what is no network */
export function destinationRules(options: {
  readonly allowedAddresses?: readonly string[];
  readonly plainHttp?: readonly string[];
  readonly resolve?: Resolve;
}): DestinationRules {
  const { allowedAddresses = [], plainHttp = [], resolve = systemResolve } = options;
  for (const network of allowedAddresses) {
    const [address = '', bits = '0'] = network.split('/');
    const maxBits = isIP(address) === 6 ? 128 : 32;
    if (isIP(address) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= maxBits) continue;
    throw new RegistryError(
      'ERR_REGISTRY_CONFIGURATION',
      `${JSON.stringify(network)} is no address and no network such as 10.0.0.0/8`,
    );
  }
  return { allowed: blockList(allowedAddresses), plainHttp: new Set(plainHttp), resolve };
}

/** Whether a host is loopback by its name alone (RFC 6761 §6.3). */
export function isLoopbackName(hostname: string): boolean {
  const host = unbracketed(hostname);
  if (isIP(host) !== 0) return kindOfAddress(host) === 'loopback';
  return host === 'localhost' || host.endsWith('.localhost');
}

/** @throws RegistryError ERR_REGISTRY_ADDRESS for a URL whose host is an address that is not connected to */
export function checkLiteral(url: URL, zone: Zone, rules: DestinationRules): void {
  const host = unbracketed(url.hostname);
  if (isIP(host) !== 0) checkAddress(host, host, zone, rules);
}

/**
 * A lookup that fails when a name leads to where it must not.
 * @param signalOf ends when nobody wants the host's addresses any more
 */
export function guardedLookup(
  zone: Zone,
  rules: DestinationRules,
  signalOf: (hostname: string) => AbortSignal | undefined,
): LookupFunction {
  return (hostname, options, callback) => {
    rules.resolve(hostname, options, signalOf(hostname)).then(
      (addresses) => {
        const refused = refusal(hostname, addresses, zone, rules);
        const [first] = addresses;
        if (refused !== undefined || first === undefined) {
          callback(refused ?? new Error(`${hostname} has no address`), '', 0);
        } else if (options.all === true) {
          callback(null, [...addresses]);
        } else {
          callback(null, first.address, first.family);
        }
      },
      (error: Error) => callback(error, '', 0),
    );
  };
}

function refusal(
  hostname: string,
  addresses: readonly LookupAddress[],
  zone: Zone,
  rules: DestinationRules,
): RegistryError | undefined {
  try {
    // One bad address among good ones is no accident.
    for (const { address } of addresses) checkAddress(address, hostname, zone, rules);
    return undefined;
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
}

function checkAddress(address: string, host: string, zone: Zone, rules: DestinationRules): void {
  const kind = kindOfAddress(address);
  // "localhost" that is somewhere else would get what is meant for this machine, without TLS.
  const isElsewhere = kind !== 'loopback' && isLoopbackName(host);
  if (!isElsewhere && (kind === 'ordinary' || (kind === 'loopback' && zone === 'loopback'))) return;
  if (isIn(rules.allowed, address)) return;
  const where = host === address ? address : `${host}, which is ${address},`;
  const what = isElsewhere
    ? 'not this machine'
    : kind === 'loopback'
      ? 'an address of this machine'
      : 'a link-local or reserved address';
  throw new RegistryError(
    'ERR_REGISTRY_ADDRESS',
    `not connected to ${where} because it is ${what}: if that is meant, allow the address by configuration`,
  );
}

function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** @throws RegistryError ERR_REGISTRY_PLAIN_HTTP unless the URL has TLS, or a host for which plain HTTP is allowed */
export function checkScheme(url: URL, zone: Zone, rules: DestinationRules): void {
  if (url.protocol === 'https:') return;
  if (url.protocol === 'http:') {
    if (zone === 'loopback' && isLoopbackName(url.hostname)) return;
    if (rules.plainHttp.has(url.host) || rules.plainHttp.has(url.hostname)) return;
  }
  throw new RegistryError(
    'ERR_REGISTRY_PLAIN_HTTP',
    `${url.protocol}//${url.host} is not spoken to without TLS: if that is meant, name the host for plain HTTP`,
  );
}
