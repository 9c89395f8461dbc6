import { expect, test, vi } from 'vitest';
import { createRemembered, isYoung } from '../../../../src/admission/sharing/remembered.ts';

const { signal } = new AbortController();
let now = new Date(0);

function remembering(maxBytes = 1_000) {
  now = new Date(0);
  return createRemembered<string>({
    ...{ lifeMs: 1_000, maxBytes, now: () => now },
    bytesOf: (value) => value.length,
  });
}

test('what was found out holds for a while, and not by a clock that was set back', async () => {
  const remembered = remembering();
  let count = 0;
  const ask = () => remembered('a', signal, async () => `answer ${++count}`);
  expect(await Promise.all([ask(), ask()])).toEqual(['answer 1', 'answer 1']);
  now = new Date(999);
  expect(await ask()).toBe('answer 1');
  now = new Date(1_000);
  expect(await ask()).toBe('answer 2');
  now = new Date(500);
  expect(await ask()).toBe('answer 3');
  expect(isYoung(0, 1_000, new Date(Number.NaN))).toBe(false);
});

test('it is as old as its question', async () => {
  const remembered = remembering();
  await remembered('a', signal, async () => {
    now = new Date(900);
    return 'slow';
  });
  now = new Date(1_100);
  expect(await remembered('a', signal, async () => 'new')).toBe('new');
});

test('a failure is asked about again', async () => {
  const remembered = remembering();
  const ask = vi.fn(async () => 'yes').mockRejectedValueOnce(new Error('no'));
  await expect(remembered('a', signal, ask)).rejects.toThrow('no');
  expect(await remembered('a', signal, ask)).toBe('yes');
});

test('there is an end to what is kept, in bytes', async () => {
  const remembered = remembering(300);
  const ask = vi.fn(async () => 'x'.repeat(100));
  for (const key of ['a', 'b', 'c', 'a']) await remembered(key, signal, ask);
  expect(ask).toHaveBeenCalledTimes(4);
  await remembered('c', signal, ask);
  expect(ask).toHaveBeenCalledTimes(4);
});
