import { expect, test } from 'vitest';
import { ResetBudget } from '../../../src/grpc/reset-budget.ts';

test('the budget is per window', () => {
  const budget = new ResetBudget(2, 1000);
  expect([budget.spend(5000), budget.spend(5001), budget.spend(5999)]).toEqual([true, true, false]);
  expect([budget.spend(6000), budget.spend(6001), budget.spend(6999)]).toEqual([true, true, false]);
});

test('it also starts at time zero', () => {
  const budget = new ResetBudget(1, 1000);
  expect([budget.spend(0), budget.spend(1)]).toEqual([true, false]);
});
