import { expect, test } from 'vitest';
import { createShare } from '../../../../src/admission/sharing/shared-attempt.ts';

const { signal } = new AbortController();

function controlled() {
  const attempts: { outcome: PromiseWithResolvers<number>; signal: AbortSignal }[] = [];
  const share = createShare<number>();
  const ask = (key: string, asking = signal) =>
    share(key, asking, (shared) => {
      const outcome = Promise.withResolvers<number>();
      attempts.push({ outcome, signal: shared });
      return outcome.promise;
    });
  return { attempts, ask };
}

test('one run for all who ask for the same at the same time, and none is remembered', async () => {
  const { attempts, ask } = controlled();
  const all = Promise.all([ask('a'), ask('a'), ask('b')]);
  expect(attempts).toHaveLength(2);
  attempts[0]?.outcome.resolve(1);
  attempts[1]?.outcome.resolve(2);
  expect(await all).toEqual([1, 1, 2]);
  const again = ask('a');
  attempts[2]?.outcome.resolve(3);
  expect(await again).toBe(3);
});

test('one who gives up takes nothing from the others; the last one ends it', async () => {
  const { attempts, ask } = controlled();
  const [hasty, patient] = [new AbortController(), new AbortController()];
  const [first, second] = [ask('a', hasty.signal), ask('a', patient.signal)];
  hasty.abort(new Error('over'));
  await expect(first).rejects.toThrow('over');
  expect(attempts[0]?.signal.aborted).toBe(false);
  patient.abort(new Error('over'));
  await expect(second).rejects.toThrow('over');
  expect(attempts[0]?.signal.aborted).toBe(true);
  const next = ask('a');
  // The first run ends late, and changes nothing.
  attempts[0]?.outcome.resolve(1);
  attempts[1]?.outcome.resolve(2);
  expect(await next).toBe(2);
});

test('a failure is everyone’s who waits', async () => {
  const { attempts, ask } = controlled();
  const both = Promise.allSettled([ask('a'), ask('a')]);
  attempts[0]?.outcome.reject(new Error('no'));
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
