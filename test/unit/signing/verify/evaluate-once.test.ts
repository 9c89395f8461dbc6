import { expect, test } from 'vitest';
import { evaluateOnce } from '../../../../src/signing/verify/evaluate-once.ts';
import { digest } from './support.ts';

function counted(outcome: true | string) {
  const seen: unknown[] = [];
  const holds = ({ predicate }: { readonly predicate: unknown }): true | string => {
    seen.push(predicate);
    return outcome;
  };
  const [requirement] = evaluateOnce([
    { predicateType: 'https://a.example', condition: { text: 'true', holds } },
  ]);
  const ask = (predicate: unknown) =>
    requirement?.condition?.holds({ predicateType: 'https://a.example', predicate, subject: digest });
  return { seen, ask };
}

test.each([true, 'it is not so'] as const)(
  'an outcome is worked out once for each predicate: %s',
  (outcome) => {
    const { seen, ask } = counted(outcome);
    const [a, b] = [{ same: 1 }, { same: 1 }];
    expect([ask(a), ask(a), ask(b), ask(a)]).toEqual([outcome, outcome, outcome, outcome]);
    expect(seen).toHaveLength(2);
  },
);

test('a requirement without a condition stays one', () => {
  const requirements = [{ predicateType: 'https://a.example', condition: undefined }];
  expect(evaluateOnce(requirements)).toEqual(requirements);
});
