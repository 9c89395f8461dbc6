// Where each registry is and how much may be asked of it at the same time: the same whoever asks. Looked up when it is
// first needed: until then it is not known whether it has TLS.

import { LRUCache } from 'lru-cache';
import { RegistryError } from './errors.ts';
import { type DestinationRules, isLoopbackName, type Zone } from './http/destination.ts';
import { type RetryRules, Transient, withRetries } from './http/retry.ts';
import { createSlots, type Slots } from './http/slots.ts';
import type { RegistryLimits } from './limits.ts';
import { baseUrlOf } from './scheme.ts';

export interface Place {
  /** `https://host/v2/` */
  readonly base: URL;
  readonly zone: Zone;
  /** Of requests under way, all credentials together. */
  readonly slots: Slots;
}

export interface PlacesOptions {
  readonly rules: DestinationRules;
  /** False where references come from people who must not reach this machine's own services. */
  readonly loopbackRegistries: boolean;
  readonly limits: RegistryLimits;
  readonly retry: RetryRules;
}

/** @throws RegistryError */
export type PlaceOf = (registry: string, signal?: AbortSignal) => Promise<Place>;

/** A client that looks at images of thousands of registries keeps what it learned about the last ones. */
const maxPlaces = 256;

export function createPlaces(options: PlacesOptions): PlaceOf {
  const { rules, loopbackRegistries, limits, retry } = options;
  const places = new LRUCache<string, Place>({ max: maxPlaces });

  async function find(registry: string, signal: AbortSignal | undefined): Promise<Place> {
    const { hostname } = new URL(`https://${registry}`);
    const zone: Zone = loopbackRegistries && isLoopbackName(hostname) ? 'loopback' : 'public';
    const base = await reachable(
      () => baseUrlOf(registry, zone, rules, limits.connectMs, signal),
      retry,
      signal,
    );
    return { base, zone, slots: createSlots(limits.maxConcurrency) };
  }

  return async (registry, signal) => {
    const held = places.get(registry) ?? (await find(registry, signal));
    // Two that were found at the same time: the first one stays.
    const place = places.get(registry) ?? held;
    places.set(registry, place);
    return place;
  };
}

async function reachable(
  look: () => Promise<URL>,
  retry: RetryRules,
  signal: AbortSignal | undefined,
): Promise<URL> {
  const attempt = async (): Promise<URL | Transient> => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'ERR_REGISTRY_UNREACHABLE') {
        return new Transient(error);
      }
      throw error;
    }
  };
  return await withRetries(retry, attempt, signal);
}
