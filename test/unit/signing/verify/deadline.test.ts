import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from '../../../../src/signing/verify/deadline.ts';
import { failure } from '../support.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});

test('gives the outcome, and leaves nothing behind', async () => {
  const { signal } = new AbortController();
  expect(await withDeadline(1000, signal, async () => 7)).toBe(7);
  await expect(withDeadline(1000, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('ends when the time is over, and says so to what still runs', async () => {
  let inner: AbortSignal | undefined;
  const outcome = failure(
    'ERR_VERIFICATION_DEADLINE',
    withDeadline(1000, undefined, (signal) => {
      inner = signal;
      return never();
    }),
    /could not be verified within 1000 ms/,
  );
  await vi.advanceTimersByTimeAsync(999);
  expect(inner?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(inner?.reason).toBe(await outcome);
});

test('has no end without a deadline', async () => {
  withDeadline(undefined, undefined, never);
  expect(vi.getTimerCount()).toBe(0);
});

test('ends when the caller gives up, with the caller’s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('gone');
  let inner: AbortSignal | undefined;
  const outcome = withDeadline(1000, controller.signal, (signal) => {
    inner = signal;
    return never();
  });
  controller.abort(reason);
  await expect(outcome).rejects.toBe(reason);
  expect(inner?.reason).toBe(reason);
  const run = vi.fn(never);
  await expect(withDeadline(1000, controller.signal, run)).rejects.toBe(reason);
  expect(run).not.toHaveBeenCalled();
});
