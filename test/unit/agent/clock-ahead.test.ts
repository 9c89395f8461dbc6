import { expect, test } from 'vitest';
import type { HeldSvid } from '../../../src/agent/identity-client.ts';
import { keepFresh } from '../../../src/agent/keep-fresh.ts';

test('on a clock that is ahead, where every SVID has ended when it comes, it is not asked for without pause', async () => {
  const now = new Date('2026-03-01T12:00:00Z');
  const over = { leaf: { notAfter: new Date(now.getTime() - 3_600_000) } } as unknown as HeldSvid;
  const stop = new AbortController();
  const waits: number[] = [];
  await keepFresh({
    initial: undefined,
    obtain: async () => over,
    accept: async () => {},
    onFailure: () => {},
    now: () => now,
    random: () => 0,
    signal: stop.signal,
    sleep: async (ms) => {
      waits.push(ms);
      if (waits.length === 4) stop.abort();
    },
  });
  expect(waits).toEqual([0, 1000, 1000, 1000]);
});
