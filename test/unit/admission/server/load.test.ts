import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Load, type Share } from '../../../../src/admission/server/load.ts';

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
  expect([share?.hold(40), share?.hold(81), other?.hold(61), other?.hold(60)]).toEqual([
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
  expect([load.begin('a'), load.begin('b')]).toEqual([undefined, undefined]);
  for (const share of shares) share?.end();
  expect(load.requests).toBe(0);
  expect(load.begin('a')?.complete()).toBe(true);
});

test('one that has to make room gives back all that it had, is told so once, and has nothing more', () => {
  const load = new Load(limits);
  const told: string[] = [];
  const begin = (name: string, address: string): Share | undefined => {
    const share = load.begin(address);
    share?.onDisplaced(() => told.push(name));
    return share;
  };
  const [first, second, other] = [begin('first', 'a'), begin('second', 'a'), begin('other', 'b')];
  expect([first, second, other].map((share) => share?.complete())).toEqual([true, true, true]);
  expect([first?.hold(10), second?.hold(60), other?.hold(30)]).toEqual([true, true, true]);
  const newcomer = begin('newcomer', 'c');
  expect(newcomer?.complete()).toBe(true);
  expect(told).toEqual(['second']);
  // Its bytes too.
  expect(newcomer?.hold(60)).toBe(true);
  expect([second?.hold(1), second?.complete()]).toEqual([false, false]);
  expect(load.requests).toBe(4);
  for (const share of [second, second]) share?.end();
  expect(load.requests).toBe(3);
  expect(told).toEqual(['second']);
});

test('what has only begun to come has to make room as well', () => {
  const load = new Load(limits);
  const [slow, other] = [load.begin('a'), load.begin('b')];
  let told = 0;
  slow?.onDisplaced(() => {
    told += 1;
  });
  expect([slow?.hold(70), other?.hold(31), told]).toEqual([true, true, 1]);
});

test('the addresses of one host are one, and an IPv4 address is the same in IPv6', () => {
  const load = new Load(limits);
  const own = ['2001:db8::1', '2001:db8::2'].map((address) => load.begin(address));
  for (const share of own) share?.complete();
  expect(load.begin('2001:db8::3')).toBeUndefined();
  expect(load.begin('2001:db8:0:1::3')).toBeDefined();
  const mapped = new Load({ ...limits, maxUnderWayPerAddress: 1 });
  mapped.begin('192.0.2.1')?.complete();
  expect(mapped.begin('::ffff:192.0.2.1')).toBeUndefined();
});

const step = fc.record({
  what: fc.constantFrom('begin', 'begin', 'hold', 'complete', 'end'),
  which: fc.nat(1_000),
  bytes: fc.integer({ min: 0, max: 100 }),
});

test('whatever is done from k addresses, another can have one of k + 1 parts of the places and of the bytes', () => {
  const attack = fc.record({
    k: fc.integer({ min: 1, max: 5 }),
    steps: fc.array(step, { maxLength: 150, size: 'max' }),
  });
  fc.assert(
    fc.property(attack, ({ k, steps }) => {
      const load = new Load({ ...limits, maxUnderWay: 8, maxUnderWayPerAddress: 6 });
      const shares: Share[] = [];
      for (const { what, which, bytes } of steps) {
        const share = shares[which % shares.length];
        if (what === 'begin')
          shares.push(...[load.begin(`192.0.2.${which % k}`)].filter((one) => one !== undefined));
        else if (what === 'hold') share?.hold(bytes);
        else share?.[what]();
      }
      // One that brings much, and then as many as are left.
      const places = Math.floor(8 / (k + 1));
      for (let one = 1; one <= places; one++) {
        const share = load.begin('198.51.100.1');
        if (one === 1) expect(share?.hold(Math.floor(100 / (k + 1)))).toBe(true);
        expect(share?.complete()).toBe(true);
      }
    }),
  );
});
