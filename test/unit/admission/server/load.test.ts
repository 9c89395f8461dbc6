import { expect, test } from 'vitest';
import { Load } from '../../../../src/admission/server/load.ts';

const limits = {
  maxUnderWay: 3,
  maxUnderWayPerAddress: 2,
  maxBytesUnderWay: 100,
  maxBytesUnderWayPerAddress: 80,
};

test('what has ended once has not ended twice', () => {
  const load = new Load(limits);
  const [first, second] = [load.begin('a'), load.begin('a')];
  for (const share of [first, second]) expect([share?.hold(40), share?.complete()]).toEqual([true, true]);
  expect(load.begin('a')).toBeUndefined();
  first?.end();
  first?.end();
  expect(load.requests).toBe(1);
  expect(load.begin('a')?.hold(41)).toBe(false);
  second?.end();
  expect(load.begin('a')?.hold(80)).toBe(true);
});

test('what has ended holds nothing more, and takes no place', () => {
  const load = new Load(limits);
  const share = load.begin('a');
  share?.end();
  expect([share?.hold(1), share?.complete()]).toEqual([false, false]);
  const [first, second] = [load.begin('a'), load.begin('a')];
  expect([first?.complete(), second?.complete(), first?.hold(80)]).toEqual([true, true, true]);
});

test('what is too much is not held in part, and what was held before still is', () => {
  const load = new Load(limits);
  const [share, other] = [load.begin('a'), load.begin('b')];
  expect([share?.hold(60), share?.hold(81), other?.hold(41), other?.hold(40)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  // Less is always possible.
  expect([share?.hold(10), other?.hold(80), share?.hold(20)]).toEqual([true, true, true]);
});

test('any number may have begun, and no more may be whole than there are places', () => {
  const load = new Load(limits);
  const shares = ['a', 'a', 'a', 'b', 'b'].map((address) => load.begin(address));
  expect(load.requests).toBe(5);
  expect(shares.map((share) => share?.complete())).toEqual([true, true, false, true, false]);
  // Nor is one whole twice.
  expect(shares[0]?.complete()).toBe(false);
  expect([load.begin('a'), load.begin('c')]).toEqual([undefined, undefined]);
  for (const share of shares) share?.end();
  expect(load.requests).toBe(0);
  expect(load.begin('a')?.complete()).toBe(true);
});
