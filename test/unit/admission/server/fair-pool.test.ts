import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairPool, type PoolLimits } from '../../../../src/admission/server/fair-pool.ts';

/** A pool of which it is known from outside who holds what: holders are `peer holder`. */
function watched(limits: PoolLimits) {
  const held = new Map<string, number>();
  const displaced: string[] = [];
  const pool = new FairPool<string>(limits, (holder) => {
    displaced.push(holder);
    held.delete(holder);
  });
  return {
    pool,
    displaced,
    hold: (peer: string, name: string, amount: number): boolean => {
      const holder = `${peer} ${name}`;
      const had = pool.hold(peer, holder, amount);
      if (had) held.set(holder, amount);
      return had;
    },
    /** Of those who hold something. */
    byPeer: (): ReadonlyMap<string, number> => {
      const peers = new Map<string, number>();
      for (const [holder, amount] of held) {
        const peer = holder.split(' ')[0] ?? '';
        if (amount > 0) peers.set(peer, (peers.get(peer) ?? 0) + amount);
      }
      return peers;
    },
    snapshot: () => [...held].filter(([, amount]) => amount > 0).sort(),
  };
}

const sum = (amounts: Iterable<number>): number => [...amounts].reduce((all, each) => all + each, 0);

const poolLimits = fc
  .integer({ min: 4, max: 64 })
  .map((max) => ({ max, maxOfOne: Math.max(1, Math.floor(0.75 * max)) }));

/** What attackers do: each has a number of addresses, and holds and gives back as it likes. */
const moves = (peers: number) =>
  fc.array(
    fc.record({
      peer: fc.integer({ min: 1, max: peers }).map((peer) => `attacker-${peer}`),
      name: fc.integer({ min: 1, max: 40 }).map(String),
      // More often what a request is, than a lot.
      amount: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 0, max: 70 })),
    }),
    { maxLength: 200, size: 'max' },
  );

const attack = fc
  .integer({ min: 1, max: 12 })
  .chain((peers) => fc.record({ peers: fc.constant(peers), moves: moves(peers), limits: poolLimits }));

describe('whatever others do, and in whatever order', () => {
  test('a newcomer gets its equal share, all at once or one by one', () => {
    fc.assert(
      fc.property(attack, fc.boolean(), ({ peers, moves, limits }, atOnce) => {
        const { hold } = watched(limits);
        for (const { peer, name, amount } of moves) hold(peer, name, amount);
        const fair = Math.floor(limits.max / (peers + 1));
        if (atOnce) expect(hold('api', 'all', fair)).toBe(true);
        else for (let one = 1; one <= fair; one++) expect(hold('api', String(one), 1)).toBe(true);
      }),
    );
  });

  test('who has no more than an equal share loses nothing of it', () => {
    fc.assert(
      fc.property(attack, fc.nat(200), ({ peers, moves, limits }, when) => {
        const { hold, displaced } = watched(limits);
        for (const { peer, name, amount } of moves.slice(0, when)) hold(peer, name, amount);
        const fair = Math.floor(limits.max / (peers + 1));
        for (let one = 1; one <= fair; one++) expect(hold('api', String(one), 1)).toBe(true);
        for (const { peer, name, amount } of moves.slice(when)) hold(peer, name, amount);
        expect(displaced.filter((holder) => holder.startsWith('api'))).toEqual([]);
      }),
    );
  });

  test('there is never more held than there is, by all or by one', () => {
    fc.assert(
      fc.property(attack, ({ moves, limits }) => {
        const { hold, byPeer } = watched(limits);
        for (const { peer, name, amount } of moves) {
          hold(peer, name, amount);
          expect(sum(byPeer().values())).toBeLessThanOrEqual(limits.max);
          expect(Math.max(0, ...byPeer().values())).toBeLessThanOrEqual(limits.maxOfOne);
        }
      }),
    );
  });

  test('what is refused costs nobody anything, and what is not costs only those who have more', () => {
    fc.assert(
      fc.property(attack, ({ moves, limits }) => {
        const { hold, byPeer, displaced, snapshot } = watched(limits);
        for (const { peer, name, amount } of moves) {
          const [before, heldBefore, count] = [snapshot(), byPeer(), displaced.length];
          if (!hold(peer, name, amount)) {
            expect([snapshot(), displaced.length]).toEqual([before, count]);
            continue;
          }
          for (const holder of displaced.slice(count)) {
            const loser = holder.split(' ')[0] ?? '';
            expect(heldBefore.get(loser)).toBeGreaterThan(byPeer().get(peer) ?? 0);
          }
        }
      }),
    );
  });
});

test('the newest goes, of the one who has the most', () => {
  const { hold, displaced } = watched({ max: 10, maxOfOne: 8 });
  for (const name of ['1', '2', '3', '4', '5', '6']) hold('most', name, 1);
  for (const name of ['1', '2', '3', '4']) hold('less', name, 1);
  // To hold another amount makes nobody newer.
  hold('most', '1', 0.5);
  hold('most', '1', 1);
  expect(hold('new', '1', 1)).toBe(true);
  expect(hold('new', '2', 1)).toBe(true);
  expect(displaced).toEqual(['most 6', 'most 5']);
});

test('a peer that is alone leaves something, and takes nothing from itself', () => {
  const { hold, displaced } = watched({ max: 8, maxOfOne: 6 });
  const names = ['1', '2', '3', '4', '5', '6', '7'];
  expect(names.map((name) => hold('alone', name, 1))).toEqual([true, true, true, true, true, true, false]);
  expect(names.slice(0, 2).map((name) => hold('new', name, 1))).toEqual([true, true]);
  expect(displaced).toEqual([]);
});

test('what has been displaced is not given back again', () => {
  const { pool, hold, displaced } = watched({ max: 4, maxOfOne: 4 });
  for (const name of ['1', '2', '3', '4']) hold('a', name, 1);
  hold('b', '1', 1);
  const [gone = ''] = displaced;
  pool.hold('a', gone, 0);
  expect([pool.hasRoomFor('b', 1), pool.hasRoomFor('b', 2)]).toEqual([true, false]);
  expect(hold('a', '9', 1)).toBe(false);
});
