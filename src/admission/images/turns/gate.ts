// How many images are fetched at the same time, so that what they hold in memory has a bound, and for whom. Registries hang, and
// tenants choose their registries: whoever asks for images that nobody answers for must leave room for the others.
//
// The rules: slots are given to tenants in turn; of one tenant, to its requests in turn. None has more than its part, however much is
// free: a slot is held for as long as a registry hangs, and cannot be taken back. What several wait for stands in line for each of
// them, begins with whoever comes first to a slot, and takes up a slot of that one alone.

import type { ImageJudgeLimits } from '../limits.ts';
import type { Asker } from './asker.ts';
import { type Full, Line, type Place } from './line.ts';

export type GateLimits = Pick<
  ImageJudgeLimits,
  | 'maxParallelLooks'
  | 'maxLooksPerRegistry'
  | 'maxLooksPerTenant'
  | 'maxLooksPerTenantAndRegistry'
  | 'maxLooksPerRequest'
>;

export interface Gate {
  /** A task that begins when somebody who asked for it has room. @param signal ends the waiting; the task ends by itself */
  turn<T>(registry: string, task: () => Promise<T>, signal: AbortSignal): Turn<T>;
}

export interface Turn<T> {
  /** @throws as the task; the signal's reason */
  readonly outcome: Promise<T>;
  /** Somebody waits for it. @returns what to call when that is over */
  ask(asker: Asker): () => void;
}

/** That somebody waits for a task. */
interface Claim {
  readonly place: Place;
  /** Takes all claims to the task out of the line. */
  readonly begin: () => void;
}

export function createGate(limits: GateLimits): Gate {
  const line = new Line<Claim>();
  const used = createUsage(limits);

  /** Begins what there is room for. */
  function fill(): void {
    for (;;) {
      const claim = used.isFull() ? undefined : line.next(used);
      if (claim === undefined) return;
      line.passed(claim.place);
      claim.begin();
    }
  }

  return {
    turn: <T>(registry: string, task: () => Promise<T>, signal: AbortSignal): Turn<T> => {
      const { promise: outcome, resolve, reject } = Promise.withResolvers<T>();
      const claims = new Set<Claim>();
      let waits = true;

      function leave(claim: Claim): void {
        if (claims.delete(claim)) line.remove(claim.place, claim);
      }
      function leaveAll(): void {
        waits = false;
        signal.removeEventListener('abort', giveUp);
        for (const claim of claims) leave(claim);
      }
      function giveUp(): void {
        leaveAll();
        reject(signal.reason);
      }
      async function run(place: Place): Promise<T> {
        const release = used.take(place);
        try {
          return await task();
        } finally {
          release();
          fill();
        }
      }
      function begin(place: Place): void {
        leaveAll();
        run(place).then(resolve, reject);
      }

      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
      return {
        outcome,
        ask: (asker) => {
          if (!waits) return () => {};
          const place = { ...asker, registry };
          const claim = { place, begin: () => begin(place) };
          claims.add(claim);
          line.add(place, claim);
          fill();
          return () => leave(claim);
        },
      };
    },
  };
}

interface Usage extends Full {
  isFull(): boolean;
  /** @returns what gives it back */
  take(place: Place): () => void;
}

function createUsage(limits: GateLimits): Usage {
  const counts = new Map<string, number>();
  const countOf = (key: string) => counts.get(key) ?? 0;
  // Names of namespaces, registries and requests have no spaces.
  const ofTenant = ({ tenant }: Pick<Place, 'tenant'>) => `tenant ${tenant}`;
  const ofRequest = ({ tenant, request }: Pick<Place, 'tenant' | 'request'>) =>
    `request ${tenant} ${request}`;
  const ofRegistry = ({ registry }: Place) => `registry ${registry}`;
  const ofBoth = ({ tenant, registry }: Place) => `both ${tenant} ${registry}`;
  const add = (key: string, change: 1 | -1) => {
    const count = countOf(key) + change;
    if (count === 0) counts.delete(key);
    else counts.set(key, count);
  };
  return {
    isFull: () => countOf('all') >= limits.maxParallelLooks,
    tenant: (place) => countOf(ofTenant(place)) >= limits.maxLooksPerTenant,
    request: (place) => countOf(ofRequest(place)) >= limits.maxLooksPerRequest,
    registry: (place) =>
      countOf(ofRegistry(place)) >= limits.maxLooksPerRegistry ||
      countOf(ofBoth(place)) >= limits.maxLooksPerTenantAndRegistry,
    take: (place) => {
      const keys = ['all', ...[ofTenant, ofRequest, ofRegistry, ofBoth].map((of) => of(place))];
      for (const key of keys) add(key, 1);
      return () => {
        for (const key of keys) add(key, -1);
      };
    },
  };
}
