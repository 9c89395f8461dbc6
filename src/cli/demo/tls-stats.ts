// What an Envoy has counted about its TLS connections between proxies, in both directions.

import { readStats, type Stats } from './envoy-admin.ts';
import type { DemoService } from './services.ts';

/** Everything under `ssl.` of listeners and clusters. */
const filter = '\\.ssl\\.';

export interface TlsCounts {
  /** Completed handshakes. */
  readonly handshakes: number;
  /** Handshakes that took a session up again instead of showing certificates. */
  readonly resumed: number;
  /** Handshakes by key-exchange group. */
  readonly groups: ReadonlyMap<string, number>;
  /** Handshakes by the algorithm of the peer's signature. */
  readonly signatures: ReadonlyMap<string, number>;
  readonly versions: ReadonlyMap<string, number>;
}

/** What one proxy has counted. */
export interface ProxyTls {
  readonly name: string;
  /** As the server. Every connection of the mesh is in one of these. */
  readonly accepted: TlsCounts;
  /**
   * As the client. When a cluster is replaced Envoy goes on counting its handshakes, but begins anew with their groups
   * and signatures, so that these can be fewer.
   */
  readonly opened: TlsCounts;
}

export function readProxies(services: readonly DemoService[]): Promise<readonly ProxyTls[]> {
  return Promise.all(
    services.map(async (service) => {
      const stats = await readStats(service, filter);
      return {
        name: service.name,
        accepted: countTls(stats, 'listener'),
        opened: countTls(stats, 'cluster'),
      };
    }),
  );
}

/** Adds up the statistics of all listeners, or of all clusters. */
export function countTls(all: Stats, of: 'listener' | 'cluster'): TlsCounts {
  const stats = new Map([...all].filter(([name]) => name.startsWith(`${of}.`)));
  return {
    handshakes: total(stats, 'handshake'),
    resumed: total(stats, 'session_reused'),
    groups: byName(stats, 'curves'),
    signatures: byName(stats, 'sigalgs'),
    versions: byName(stats, 'versions'),
  };
}

function total(stats: Stats, counter: string): number {
  let sum = 0;
  for (const [name, value] of stats) if (name.endsWith(`.ssl.${counter}`)) sum += value;
  return sum;
}

function byName(stats: Stats, family: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [name, value] of stats) {
    const kind = name.split(`.ssl.${family}.`)[1];
    // Envoy remembers names it has not counted since the last reset.
    if (kind !== undefined && value > 0) counts.set(kind, (counts.get(kind) ?? 0) + value);
  }
  return counts;
}

/**
 * What is wrong with these proxies, when every handshake should have had this one group (signature, version).
 * @returns nothing when all is well
 */
export function otherThan(
  wanted: string,
  family: 'groups' | 'signatures' | 'versions',
  proxies: readonly ProxyTls[],
): readonly string[] {
  const problems = proxies.flatMap(({ name, accepted, opened }) => {
    const others = [accepted, opened].flatMap((counts) =>
      [...counts[family]].filter(([each]) => each !== wanted),
    );
    if (others.length > 0) return [`${name}: others than ${wanted}: ${describeCounts(new Map(others))}`];
    if (accepted.handshakes === 0) return [`${name}: no TLS connection at all`];
    const right = accepted[family].get(wanted) ?? 0;
    if (right === accepted.handshakes) return [];
    return [`${name}: ${accepted.handshakes} handshakes, of which ${right} with ${wanted}`];
  });
  if (proxies.length === 0) return ['no proxy'];
  const opened = proxies.reduce((sum, proxy) => sum + (proxy.opened[family].get(wanted) ?? 0), 0);
  return opened === 0 ? [...problems, 'no proxy has opened a connection'] : problems;
}

/** `X25519MLKEM768 ×12, X25519 ×1` */
export function describeCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ×${count}`).join(', ') || 'none';
}
