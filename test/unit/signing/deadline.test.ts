import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from '../../../src/signing/deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const tooLate = new Error('too late');
const error = () => tooLate;
const second = { milliseconds: 1000, error };
const never = () => new Promise<never>(() => {});

test('gives the outcome, and leaves nothing behind', async () => {
  const { signal } = new AbortController();
  expect(await withDeadline(second, signal, async () => 7)).toBe(7);
  await expect(withDeadline(second, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('ends when the time is over, and says so to what still runs', async () => {
  let inner: AbortSignal | undefined;
  const outcome = withDeadline(second, undefined, (signal) => {
    inner = signal;
    return never();
  });
  const ended = expect(outcome).rejects.toBe(tooLate);
  await vi.advanceTimersByTimeAsync(999);
  expect(inner?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await ended;
  expect(inner?.reason).toBe(tooLate);
});

test('has no end without a deadline', async () => {
  withDeadline({ milliseconds: undefined, error }, undefined, never);
  expect(vi.getTimerCount()).toBe(0);
});

test('ends when the caller gives up, with the caller’s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('gone');
  let inner: AbortSignal | undefined;
  const outcome = withDeadline(second, controller.signal, (signal) => {
    inner = signal;
    return never();
  });
  controller.abort(reason);
  await expect(outcome).rejects.toBe(reason);
  expect(inner?.reason).toBe(reason);
  const run = vi.fn(never);
  await expect(withDeadline(second, controller.signal, run)).rejects.toBe(reason);
  expect(run).not.toHaveBeenCalled();
});

test('says why it was stopped, whatever what was stopped makes of that', async () => {
  const outcome = withDeadline(second, undefined, async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw new Error('the operation was aborted');
  });
  const onAbort = withDeadline(
    second,
    undefined,
    (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  const ended = Promise.all([outcome, onAbort].map((each) => expect(each).rejects.toBe(tooLate)));
  await vi.advanceTimersByTimeAsync(1000);
  await ended;
});
