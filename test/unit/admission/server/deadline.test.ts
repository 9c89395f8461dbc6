import { expect, test } from 'vitest';
import { deadlineOf } from '../../../../src/admission/server/deadline.ts';

test.each([
  // API servers round up, so a second may be missing; half a second is for the way back.
  ['10s', 8_500],
  ['30s', 28_500],
  ['4s', 2_500],
  // Of little, half.
  ['2s', 1_000],
  ['1s', 500],
  // Never more than a webhook may have.
  ['34s', 28_500],
  ['999s', 28_500],
  // What API servers do not say.
  [undefined, 8_500],
  ['', 8_500],
  ['0s', 8_500],
  ['-1s', 8_500],
  ['1m', 8_500],
  ['1e3s', 8_500],
  ['10', 8_500],
  [['1s', '2s'], 8_500],
])('%s', (timeout, judgeMs) => {
  expect(deadlineOf(timeout)).toEqual({ judgeMs, answerMs: judgeMs + 250 });
});
