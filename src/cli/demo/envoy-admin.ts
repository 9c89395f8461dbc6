// What an Envoy says of itself on its admin interface.

import { fetchHttp } from './http.ts';
import type { DemoService } from './services.ts';

/** The port of every proxy's admin interface, on the workload's own address. */
export const adminPort = 15000;

/** A counter or gauge. */
export type Stats = ReadonlyMap<string, number>;

type Place = Pick<DemoService, 'address'>;

/** Counters and gauges whose name matches the regular expression. */
export async function readStats(place: Place, filter: string): Promise<Stats> {
  const body = await get(place, `/stats?format=json&filter=${encodeURIComponent(filter)}`);
  return parseStats(body);
}

/** From the body of `/stats?format=json`. Histograms and texts have no number of their own and are left out. */
export function parseStats(body: string): Stats {
  const { stats } = JSON.parse(body) as { stats: readonly { name?: unknown; value?: unknown }[] };
  const numbers = new Map<string, number>();
  for (const { name, value } of stats) {
    if (typeof name === 'string' && typeof value === 'number') numbers.set(name, value);
  }
  return numbers;
}

/** True once listeners and clusters have been loaded. */
export async function isReady(place: Place): Promise<boolean> {
  return (await fetchHttp({ host: place.address, port: adminPort, path: '/ready' })).status === 200;
}

async function get({ address }: Place, path: string): Promise<string> {
  const { status, body } = await fetchHttp({ host: address, port: adminPort, path });
  if (status !== 200)
    throw new Error(`${address}:${adminPort}${path}: HTTP ${status}: ${body.slice(0, 200)}`);
  return body;
}
