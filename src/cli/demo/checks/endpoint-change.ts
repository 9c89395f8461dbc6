// A service moves to another address and back, and its callers follow within a second without losing a request. The
// other address is a tap on the wire in front of the same pod, which sees the traffic arrive and leave.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, unless, type Verdict, verdict } from '../check.ts';
import type { RunningMesh } from '../running-mesh.ts';
import { waitFor } from '../wait.ts';
import { callTapped, pointAtTap, startTap, tapped, tappedFile, untapped } from './tap-call.ts';

const ok = 200;
const promisedMs = 1000;
const timeoutMs = 5000;
const pauseMs = 10;

export interface EndpointObservation {
  /** Time from the change of the EndpointSlice to the first connection at the new address. */
  readonly thereMs: number;
  /** Time from the change back to the last connection being gone. */
  readonly backMs: number;
  /** Every answer meanwhile. */
  readonly statuses: readonly number[];
}

export const endpointChange: Check = {
  id: 'endpoint-change',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<EndpointObservation> {
  const { signal } = mesh;
  const statuses: number[] = [];
  const done = new AbortController();
  const calling = (async () => {
    while (!done.signal.aborted) {
      statuses.push(await callTapped(mesh));
      await sleep(pauseMs);
    }
  })();
  const tap = await startTap(mesh);
  try {
    const thereAt = await pointAtTap(mesh);
    const thereMs = await waitFor(
      { what: 'traffic at the new address', timeoutMs, everyMs: 2, signal },
      () => {
        return tap.connections.length > 0 ? performance.now() - thereAt : undefined;
      },
    );
    // A few requests have to have gone that way before it is left again.
    await sleep(10 * pauseMs, undefined, { signal });
    const backAt = await mesh.editor.restore(tappedFile);
    const backMs = await waitFor({ what: 'the traffic to be back', timeoutMs, everyMs: 2, signal }, () => {
      return tap.open() === 0 ? performance.now() - backAt : undefined;
    });
    await sleep(10 * pauseMs, undefined, { signal });
    return { thereMs, backMs, statuses };
  } finally {
    done.abort();
    await calling.catch(() => {});
    await mesh.editor.restore(tappedFile).catch(() => {});
    await untapped(mesh, tap).catch(() => {});
  }
}

export function judge({ thereMs, backMs, statuses }: EndpointObservation): Verdict {
  const failed = statuses.filter((status) => status !== ok);
  return verdict(
    [
      unless(statuses.length > 0, 'no request was sent'),
      unless(
        failed.length === 0,
        `${failed.length} of ${statuses.length} requests failed: HTTP ${failed.slice(0, 5).join(', ')}`,
      ),
      unless(thereMs < promisedMs, `the new address was used after ${Math.round(thereMs)} ms`),
      unless(backMs < promisedMs, `the old address was used again after ${Math.round(backMs)} ms`),
    ],
    `${tapped.from} follows ${tapped.to} to another address in ${Math.round(thereMs)} ms and back in ${Math.round(backMs)} ms, ${statuses.length} requests, none failed`,
  );
}
