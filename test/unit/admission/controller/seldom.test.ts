import { expect, test } from 'vitest';
import { seldom } from '../../../../src/admission/controller/seldom.ts';

test('the same reason is said once a minute, another at once, and no stack with it', () => {
  let nowMs = 0;
  const said: string[] = [];
  const failed = seldom(
    () => nowMs,
    (reason) => said.push(reason),
  );
  const at = (ms: number, reason: string) => {
    nowMs = ms;
    failed(new Error(reason));
  };
  at(0, 'away');
  at(2_000, 'away');
  at(4_000, 'forbidden');
  // They take turns.
  at(6_000, 'away');
  at(8_000, 'forbidden');
  expect(said).toEqual(['away', 'forbidden']);
  at(59_999, 'away');
  expect(said).toHaveLength(2);
  at(60_000, 'away');
  expect(said).toEqual(['away', 'forbidden', 'away']);
});

test('reasons that are new every time take no more and more memory, and each is said', () => {
  const said: string[] = [];
  const failed = seldom(
    () => 0,
    (reason) => said.push(reason),
  );
  for (let i = 0; i < 40; i++) failed(`reason ${i}`);
  expect(said).toHaveLength(40);
});
