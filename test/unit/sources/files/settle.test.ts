import { describe, expect, test } from 'vitest';
import { SettleTracker } from '../../../../src/sources/files/settle.ts';

function tracker(settleMs = 50) {
  const time = { now: 1_000_000, monotonic: 0 };
  const clocks = { now: () => time.now, monotonic: () => time.monotonic };
  const pass = (milliseconds: number) => {
    time.now += milliseconds;
    time.monotonic += milliseconds;
  };
  return { settle: new SettleTracker(clocks, settleMs), time, pass };
}

const file = (signature: string, changedAt: number) => [['a.yaml', { signature, changedAt }]] as const;

describe('SettleTracker', () => {
  test('nothing is settled', () => {
    expect(tracker().settle.unsettled([])).toBeUndefined();
  });

  test('a file changed long ago counts at once', () => {
    const { settle, time } = tracker();
    expect(settle.unsettled(file('x', time.now - 50))).toBeUndefined();
  });

  test('a young file has to wait for the rest of the time', () => {
    const { settle, time, pass } = tracker();
    const changedAt = time.now - 20;
    expect(settle.unsettled(file('x', changedAt))).toEqual({ path: 'a.yaml', waitMs: 30 });
    pass(30);
    expect(settle.unsettled(file('x', changedAt))).toBeUndefined();
  });

  test('a file from the future counts after we have watched it rest', () => {
    const { settle, time, pass } = tracker();
    const changedAt = time.now + 3_600_000;
    expect(settle.unsettled(file('x', changedAt))?.waitMs).toBe(50);
    pass(49);
    expect(settle.unsettled(file('x', changedAt))?.waitMs).toBe(1);
    pass(1);
    expect(settle.unsettled(file('x', changedAt))).toBeUndefined();
  });

  test('a change starts the wait again', () => {
    const { settle, time, pass } = tracker();
    const future = time.now + 3_600_000;
    settle.unsettled(file('x', future));
    pass(49);
    expect(settle.unsettled(file('y', future))?.waitMs).toBe(50);
  });

  test('a clock set back does not stop anything', () => {
    const { settle, time, pass } = tracker();
    const changedAt = time.now;
    settle.unsettled(file('x', changedAt));
    time.now -= 86_400_000;
    pass(50);
    expect(settle.unsettled(file('x', changedAt))).toBeUndefined();
  });

  test('the longest wait decides', () => {
    const { settle, time } = tracker();
    const entries = [
      ['a', { signature: '1', changedAt: time.now - 40 }],
      ['b', { signature: '1', changedAt: time.now - 10 }],
      ['c', { signature: '1', changedAt: time.now - 30 }],
    ] as const;
    expect(settle.unsettled(entries)).toEqual({ path: 'b', waitMs: 40 });
  });
});
