import { expect, test } from 'vitest';
import { resolveOnce } from '../../../../src/admission/sharing/resolve-once.ts';

function controlled() {
  const attempts: { outcome: PromiseWithResolvers<number>; signal: AbortSignal }[] = [];
  const resolve = resolveOnce((signal) => {
    const outcome = Promise.withResolvers<number>();
    attempts.push({ outcome, signal });
    return outcome.promise;
  });
  return { attempts, resolve };
}
const reason = new Error('no longer');

test('one attempt serves all who wait, and who comes later', async () => {
  const { attempts, resolve } = controlled();
  const { signal } = new AbortController();
  const both = Promise.all([resolve(signal), resolve(signal)]);
  attempts[0]?.outcome.resolve(7);
  expect(await both).toEqual([7, 7]);
  expect(await resolve(signal)).toBe(7);
  expect(attempts).toHaveLength(1);
});

test('one who gives up takes nothing from those who wait on', async () => {
  const { attempts, resolve } = controlled();
  const [hasty, patient] = [new AbortController(), new AbortController()];
  const first = resolve(hasty.signal);
  const second = resolve(patient.signal);
  hasty.abort(reason);
  await expect(first).rejects.toBe(reason);
  expect(attempts[0]?.signal.aborted).toBe(false);
  attempts[0]?.outcome.resolve(7);
  expect(await second).toBe(7);
});

test('is given up when nobody waits any more, and begun anew by who asks next', async () => {
  const { attempts, resolve } = controlled();
  const hasty = new AbortController();
  const first = resolve(hasty.signal);
  hasty.abort(reason);
  await expect(first).rejects.toBe(reason);
  expect(attempts[0]?.signal.reason).toBe(reason);
  const second = resolve(new AbortController().signal);
  attempts[1]?.outcome.resolve(8);
  // The first attempt ends late, and changes nothing.
  attempts[0]?.outcome.reject(reason);
  expect(await second).toBe(8);
  expect(await resolve(new AbortController().signal)).toBe(8);
  expect(attempts).toHaveLength(2);
});

test('a failure is everyone’s who waits, and forgotten', async () => {
  const { attempts, resolve } = controlled();
  const { signal } = new AbortController();
  const both = Promise.allSettled([resolve(signal), resolve(signal)]);
  attempts[0]?.outcome.reject(reason);
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = resolve(signal);
  attempts[1]?.outcome.resolve(9);
  expect(await next).toBe(9);
});

test('who has given up already starts nothing', async () => {
  const { attempts, resolve } = controlled();
  await expect(resolve(AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(attempts).toEqual([]);
});
