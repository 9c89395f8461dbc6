// Certificates are replaced while requests are under way, and none of them fails. Starts with the first check and goes
// on beside the others, because the mesh renews in its own time.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, unless, type Verdict, verdict } from '../check.ts';
import type { RunningMesh } from '../running-mesh.ts';
import { attempt } from '../tls-client.ts';
import type { TrafficRecord } from '../traffic.ts';

/** Certificates live for thirty seconds and are renewed at half of it. */
const timeoutMs = 45_000;
const everyMs = 500;

export interface RotationObservation {
  /** Serial numbers that each proxy has shown, in order. */
  readonly serials: ReadonlyMap<string, readonly string[]>;
  readonly traffic: TrafficRecord;
}

export const svidRotation: Check = {
  id: 'svid-rotation',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<RotationObservation> {
  const mark = mesh.traffic.mark();
  const serials = new Map<string, string[]>(mesh.services.map(({ name }) => [name, []]));
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && ![...serials.values()].every((seen) => seen.length > 1)) {
    await lookAround(mesh, serials);
    await sleep(everyMs, undefined, { signal: mesh.signal });
  }
  return { serials, traffic: mesh.traffic.since(mark) };
}

/** One handshake with every proxy. */
async function lookAround(mesh: RunningMesh, serials: ReadonlyMap<string, string[]>): Promise<void> {
  const [first] = mesh.services;
  if (first === undefined) return;
  const client = await mesh.probe.client(first);
  for (const service of mesh.services) {
    const seen = await attempt({ ...client, address: service.address, port: service.port });
    const known = serials.get(service.name);
    if (seen.kind === 'answered' && known?.at(-1) !== seen.peer.serial) known?.push(seen.peer.serial);
  }
}

export function judge({ serials, traffic }: RotationObservation): Verdict {
  const stuck = [...serials].filter(([, seen]) => new Set(seen).size < 2).map(([name]) => name);
  return verdict(
    [
      unless(serials.size > 0, 'no proxy'),
      unless(stuck.length === 0, `still with the same certificate: ${stuck.join(', ')}`),
      unless(traffic.sent > 0, 'there was no traffic'),
      unless(
        traffic.failed === 0,
        `${traffic.failed} of ${traffic.sent} requests failed: ${traffic.failures.slice(0, 3).join('; ')}`,
      ),
    ],
    `all ${serials.size} proxies have shown a new certificate; ${traffic.sent} requests meanwhile, none failed`,
  );
}
