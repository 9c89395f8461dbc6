// The control plane is killed without warning. Traffic goes on, the agents come back by themselves, and edits take
// effect again.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { readStats } from '../envoy-admin.ts';
import { fetchHttp } from '../http.ts';
import { isReady, type RunningMesh } from '../running-mesh.ts';
import type { TrafficRecord } from '../traffic.ts';
import { waitFor } from '../wait.ts';
import { allowAndSee, type SeenEdit } from './probe-edit.ts';

const ok = 200;
const forbidden = 403;
/** How long the control plane stays away: long enough for every proxy to notice. */
const awayMs = 1000;
const timeoutMs = 15_000;
const target = 'execution';
const path = '/orders/43';

export interface RestartObservation {
  /** The control plane answered while it should have been dead. */
  readonly answeredWhileDead: boolean;
  /** Requests while it was away. */
  readonly away: TrafficRecord;
  /** Requests from its death to the end of the check. */
  readonly all: TrafficRecord;
  /** Proxies whose stream of configuration is back. */
  readonly reconnected: number;
  readonly proxies: number;
  /** From its start until all streams were back. */
  readonly reconnectMs: number;
  /** A caller's answers before and after an edit that was made after the restart. */
  readonly edit: SeenEdit;
}

export const controlPlaneRestart: Check = {
  id: 'control-plane-restart',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<RestartObservation> {
  const { controlPlane, traffic, services, signal } = mesh;
  const mark = traffic.mark();
  await controlPlane.process.crash();
  const answeredWhileDead = await isReady(controlPlane.metrics).catch(() => false);
  await sleep(awayMs, undefined, { signal });
  const away = traffic.since(mark);
  const startedAt = performance.now();
  await controlPlane.restart();
  const reconnected = await allConnected(mesh);
  const reconnectMs = performance.now() - startedAt;
  const edit = await allowAndSee(mesh, target, path);
  const all = traffic.since(mark);
  return { answeredWhileDead, away, all, reconnected, proxies: services.length, reconnectMs, edit };
}

/** Both ends must say so: an Envoy may not have noticed the loss yet, and the new control plane knows only of new streams. */
async function allConnected(mesh: RunningMesh): Promise<number> {
  let count = 0;
  await waitFor({ what: 'all proxies to be back', timeoutMs, everyMs: 50, signal: mesh.signal }, async () => {
    const states = await Promise.all(
      mesh.services.map((service) => readStats(service, '^control_plane\\.connected_state$')),
    );
    const connected = states.filter((stats) => stats.get('control_plane.connected_state') === 1).length;
    count = Math.min(connected, await openStreams(mesh));
    return count === mesh.services.length || undefined;
  }).catch(() => {});
  return count;
}

async function openStreams({ controlPlane }: RunningMesh): Promise<number> {
  const { hostname, port } = new URL(`http://${controlPlane.metrics}`);
  const { body } = await fetchHttp({ host: hostname, port: Number(port), path: '/metrics' });
  return Number(/^trellis_xds_streams (\d+)$/m.exec(body)?.[1] ?? 0);
}

export function judge(seen: RestartObservation): Verdict {
  const { away, all, reconnected, proxies, edit } = seen;
  return verdict(
    [
      unless(!seen.answeredWhileDead, 'the control plane was not dead'),
      unless(away.sent > 0, 'there was no traffic while it was away'),
      unless(
        all.failed === 0,
        `${all.failed} of ${all.sent} requests failed: ${all.failures.slice(0, 3).join('; ')}`,
      ),
      unless(proxies > 0 && reconnected === proxies, `${reconnected} of ${proxies} proxies came back`),
      unless(
        edit.before === forbidden && edit.after === ok,
        `an edit after the restart changed HTTP ${edit.before} into ${edit.after}`,
      ),
    ],
    `killed for ${awayMs} ms: ${away.sent} requests without it, ${all.sent} in all, none failed; ${reconnected} proxies back ${Math.round(seen.reconnectMs)} ms after its start, and an edit takes effect`,
  );
}
