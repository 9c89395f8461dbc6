// What each pair of workloads has negotiated, from the statistics of the caller's proxy.

import { readStats, type Stats } from '../envoy-admin.ts';
import type { DemoService } from '../services.ts';
import type { Negotiated } from './table.ts';

const filter = '^cluster\\.outbound.*\\.ssl\\.(curves|sigalgs)\\.';

/** By `<from> <to>`. A proxy that does not answer is left out. */
export async function readNegotiated(
  services: readonly DemoService[],
): Promise<ReadonlyMap<string, Negotiated>> {
  const all = new Map<string, Negotiated>();
  await Promise.all(
    services.map(async (service) => {
      const stats = await readStats(service, filter).catch(() => undefined);
      if (stats === undefined) return;
      for (const [to, negotiated] of negotiatedByService(stats)) all.set(`${service.name} ${to}`, negotiated);
    }),
  );
  return all;
}

/** From `cluster.outbound|8001|ai-engine.quantum-trader.svc.cluster.local.ssl.curves.X25519MLKEM768`, by service name. */
export function negotiatedByService(stats: Stats): ReadonlyMap<string, Negotiated> {
  const names = new Map<string, { curves: Set<string>; sigalgs: Set<string> }>();
  for (const [stat, value] of stats) {
    const [, to, family, name] =
      /^cluster\.outbound\|\d+\|([^.]+)\..*\.ssl\.(curves|sigalgs)\.(.+)$/.exec(stat) ?? [];
    if (to === undefined || name === undefined || value === 0) continue;
    const found = names.get(to) ?? { curves: new Set(), sigalgs: new Set() };
    names.set(to, found);
    found[family === 'curves' ? 'curves' : 'sigalgs'].add(name);
  }
  return new Map(
    [...names].map(([to, { curves, sigalgs }]) => [
      to,
      { group: [...curves].sort().join('+') || '…', signature: [...sigalgs].sort().join('+') || '…' },
    ]),
  );
}
