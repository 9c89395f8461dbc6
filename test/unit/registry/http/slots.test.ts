import { expect, test } from 'vitest';
import { createSlots } from '../../../../src/registry/http/slots.ts';

/** A task that runs until it is told to end. */
function task() {
  const end = Promise.withResolvers<void>();
  let started = false;
  const run = async (): Promise<void> => {
    started = true;
    await end.promise;
  };
  return { run, end: end.resolve, fail: end.reject, started: () => started };
}

/** Lets everything run that can. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('so many at the same time, the others in their order', async () => {
  const slots = createSlots(2);
  const tasks = [task(), task(), task(), task()];
  const all = tasks.map(({ run }) => slots.run(run));
  const started = (): boolean[] => tasks.map((each) => each.started());
  await settle();
  expect(started()).toEqual([true, true, false, false]);
  tasks[1]?.end();
  await settle();
  expect(started()).toEqual([true, true, true, false]);
  for (const each of tasks) each.end();
  await Promise.all(all);
  expect(started()).toEqual([true, true, true, true]);
});

test('a task that fails gives its slot back', async () => {
  const slots = createSlots(1);
  const failing = task();
  const first = slots.run(failing.run);
  failing.fail(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  expect(await slots.run(async () => 'next')).toBe('next');
});

test('who gives up while waiting takes no slot', async () => {
  const slots = createSlots(1);
  const long = task();
  const first = slots.run(long.run);
  const controller = new AbortController();
  const second = task();
  const waiting = slots.run(second.run, controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  long.end();
  await first;
  expect(second.started()).toBe(false);
  expect(await slots.run(async () => 'third')).toBe('third');
});

test('who gives up in the moment of the turn does not free a slot twice', async () => {
  const slots = createSlots(1);
  const controller = new AbortController();
  // After the slot is handed over, and before the one who waits for it knows.
  const abort = (): void => queueMicrotask(() => controller.abort(new Error('enough')));
  const long = task();
  const first = slots.run(async () => {
    await long.run();
    queueMicrotask(abort);
  });
  const [second, third] = [task(), task()];
  const waiting = slots.run(second.run, controller.signal);
  const last = slots.run(third.run);
  long.end();
  await first;
  await settle();
  expect([second.started(), third.started()]).toEqual([true, false]);
  second.end();
  third.end();
  await Promise.all([waiting, last]);
});

test('who has given up before does not begin', async () => {
  const slots = createSlots(1);
  await expect(slots.run(async () => 'value', AbortSignal.abort(new Error('enough')))).rejects.toThrow(
    'enough',
  );
});
