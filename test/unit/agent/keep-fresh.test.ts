import { describe, expect, test } from 'vitest';
import type { HeldSvid } from '../../../src/agent/identity-client.ts';
import { type KeepFreshOptions, keepFresh } from '../../../src/agent/keep-fresh.ts';

const start = Date.parse('2026-03-01T12:00:00Z');
const hour = 3_600_000;

/** Of an SVID only its end matters here. */
const svid = (endsAt: number): HeldSvid => ({ leaf: { notAfter: new Date(endsAt) } }) as unknown as HeldSvid;

interface Run {
  /** Every wait, in milliseconds. */
  readonly waits: number[];
  readonly accepted: HeldSvid[];
  readonly failures: unknown[];
}

/** Runs on a clock that only waiting moves, until `rounds` waits are over. */
async function run(
  rounds: number,
  options: Pick<KeepFreshOptions, 'initial'> & Partial<KeepFreshOptions> & { random?: () => number },
): Promise<Run> {
  let clock = start;
  const stop = new AbortController();
  const result: Run = { waits: [], accepted: [], failures: [] };
  await keepFresh({
    obtain: async () => svid(clock + hour),
    accept: async (next) => void result.accepted.push(next),
    onFailure: (error) => result.failures.push(error),
    now: () => new Date(clock),
    random: () => 0.5,
    signal: stop.signal,
    sleep: async (ms) => {
      result.waits.push(ms);
      clock += ms;
      if (result.waits.length > rounds) stop.abort();
    },
    ...options,
  });
  return result;
}

test('without an SVID the first is obtained at once, and each next one at half life', async () => {
  const { waits, accepted } = await run(3, { initial: undefined });
  expect(waits).toEqual([0, hour / 2, hour / 2, hour / 2]);
  expect(accepted.map(({ leaf }) => leaf.notAfter.getTime() - start)).toEqual([hour, 1.5 * hour, 2 * hour]);
});

test('with an SVID the next is obtained at half of what is left of it', async () => {
  expect((await run(1, { initial: svid(start + hour) })).waits[0]).toBe(hour / 2);
});

test('chance moves the renewal by a tenth of the life at most', async () => {
  const first = async (random: number) =>
    (await run(1, { initial: svid(start + hour), random: () => random })).waits[0];
  expect(await first(0)).toBe(0.4 * hour);
  expect(await first(0.999_999)).toBeCloseTo(0.6 * hour, -2);
});

describe('a failure', () => {
  const away = new Error('away');

  test('before there is any SVID is tried again after ever longer waits', async () => {
    const { waits, failures } = await run(6, {
      initial: undefined,
      obtain: () => Promise.reject(away),
      random: () => 0,
    });
    expect(waits[0]).toBe(0);
    expect(waits.slice(1)).toEqual([...waits.slice(1)].sort((a, b) => a - b));
    expect(waits[1]).toBeGreaterThan(0);
    expect(failures).toEqual(Array(6).fill(away));
  });

  test('leaves time for another attempt before the SVID ends, and success starts anew', async () => {
    let attempts = 0;
    const { waits, accepted, failures } = await run(20, {
      initial: svid(start + hour),
      obtain: async () => {
        attempts++;
        if (attempts < 5) throw away;
        return svid(start + 10 * hour);
      },
    });
    expect(failures).toHaveLength(4);
    const [first = 0, ...retries] = waits.slice(0, 5);
    expect(first + retries.reduce((sum, wait) => sum + wait, 0)).toBeLessThan(hour);
    expect(accepted[0]?.leaf.notAfter.getTime()).toBe(start + 10 * hour);
    // Half of what is left of the new one, not the next retry.
    expect(waits[5]).toBeGreaterThan(4 * hour);
  });

  test('to take a new SVID into use counts as one: the old one stays, and it is tried again', async () => {
    let refuse = true;
    const used: HeldSvid[] = [];
    const { failures } = await run(3, {
      initial: svid(start + hour),
      accept: async (next) => {
        if (refuse) {
          refuse = false;
          throw away;
        }
        used.push(next);
      },
    });
    expect(failures).toEqual([away]);
    expect(used.length).toBeGreaterThan(0);
  });
});

test('nothing more happens once the agent stops, even in the middle of an attempt', async () => {
  const stop = new AbortController();
  const failures: unknown[] = [];
  let attempts = 0;
  await keepFresh({
    initial: undefined,
    obtain: async () => {
      attempts++;
      stop.abort();
      throw new Error('the connection was closed');
    },
    accept: async () => {},
    onFailure: (error) => failures.push(error),
    now: () => new Date(start),
    random: () => 0,
    signal: stop.signal,
  });
  expect([attempts, failures]).toEqual([1, []]);
});

test('a stop ends the wait for the next renewal', async () => {
  const stop = new AbortController();
  const running = keepFresh({
    initial: svid(start + hour),
    obtain: () => Promise.reject(new Error('not asked for')),
    accept: async () => {},
    onFailure: () => {},
    now: () => new Date(start),
    random: () => 0,
    signal: stop.signal,
  });
  stop.abort();
  await running;
});
