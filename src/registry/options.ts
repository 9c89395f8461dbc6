// What a client can be told, and what it does when it is not.

import { X509Certificate } from 'node:crypto';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { CredentialSource } from './auth/credentials.ts';
import { RegistryError } from './errors.ts';
import type { Resolve } from './http/destination.ts';
import { noProxy, type ProxyFor } from './http/proxy.ts';
import type { Sleep } from './http/retry.ts';
import { defaultRegistryLimits, type RegistryLimits } from './limits.ts';
import { parseRegistry } from './reference.ts';

export interface RegistryOptions {
  /** None unless given: `dockerCredentials` reads what `docker login` wrote. */
  readonly credentials?: CredentialSource;
  /** PEM of CAs that count beside those of Node.js. */
  readonly ca?: string | undefined;
  /** Of a registry, `host[:port][/path]` of those that are asked first. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>;
  /** `proxiesOf(process.env)` for those of the environment. */
  readonly proxyFor?: ProxyFor;
  /** `host` or `host:port` of registries without TLS; loopback ones need no naming. */
  readonly plainHttp?: readonly string[];
  /** Addresses and networks that may be connected to although they are loopback or link-local. */
  readonly allowedAddresses?: readonly string[];
  /**
   * Whether a reference may name a registry on this machine. True unless given: say false where references come from
   * people who must not reach it.
   */
  readonly loopbackRegistries?: boolean;
  readonly limits?: Partial<RegistryLimits>;
  readonly now?: () => Date;
  readonly random?: () => number;
  readonly sleep?: Sleep;
  /** In place of dns.lookup; `dnsResolve` where names of other people's choosing must not use up the threads of the process. */
  readonly resolve?: Resolve;
}

export interface FullOptions {
  readonly ca: string | undefined;
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  readonly proxyFor: ProxyFor;
  readonly plainHttp: readonly string[];
  readonly loopbackRegistries: boolean;
  readonly limits: RegistryLimits;
  readonly now: () => Date;
  readonly random: () => number;
  readonly sleep: Sleep;
}

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function withDefaults(options: RegistryOptions): FullOptions {
  const { ca } = options;
  if (ca !== undefined) checkCa(ca);
  return {
    ca,
    mirrors: options.mirrors ?? {},
    proxyFor: options.proxyFor ?? noProxy,
    plainHttp: (options.plainHttp ?? []).map(parsePlainHttp),
    loopbackRegistries: options.loopbackRegistries ?? true,
    limits: { ...defaultRegistryLimits, ...options.limits },
    now: options.now ?? (() => new Date()),
    random: options.random ?? Math.random,
    sleep: options.sleep ?? ((ms, signal) => sleepFor(ms, undefined, { ...(signal && { signal }) })),
  };
}

/** Without its port the name would stand for every port of the host. */
function parsePlainHttp(text: string): string {
  const registry = parseRegistry(text);
  if (!text.endsWith(':443')) return registry;
  throw new RegistryError(
    'ERR_REGISTRY_CONFIGURATION',
    `${JSON.stringify(text)} cannot be spoken to without TLS: port 443 is that of TLS; name another port, or the host alone for all of its ports`,
  );
}

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** TLS would complain at the first connection only. */
function checkCa(pem: string): void {
  const blocks = pem.match(certificatePattern) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    if (blocks.length > 0) return;
  } catch {
    // Said below.
  }
  throw new RegistryError(
    'ERR_REGISTRY_CONFIGURATION',
    'the CA of the registry is no certificate: give PEM, with BEGIN CERTIFICATE',
  );
}
