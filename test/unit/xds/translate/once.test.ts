import { expect, test } from 'vitest';
import { once } from '../../../../src/xds/translate/once.ts';

const counted = () => {
  let made = 0;
  const of = once(({ port, names }: { port: number; names: readonly string[] }) => {
    made += 1;
    return { port, names };
  });
  return { of, made: () => made };
};

test('equal keys give the same object, others their own', () => {
  const { of, made } = counted();
  const first = of({ port: 1, names: ['a', 'b'] });
  expect(of({ port: 1, names: ['a', 'b'] })).toBe(first);
  expect(made()).toBe(1);
  expect(of({ port: 1, names: ['a,b'] })).toEqual({ port: 1, names: ['a,b'] });
  expect(of({ port: 2, names: ['a', 'b'] })).toEqual({ port: 2, names: ['a', 'b'] });
});

test('more keys than are remembered cost work, and no more memory', () => {
  const { of, made } = counted();
  for (let port = 0; port < 300; port++) of({ port, names: [] });
  const before = made();
  expect(of({ port: 299, names: [] })).toEqual({ port: 299, names: [] });
  expect(made()).toBe(before);
  of({ port: 0, names: [] });
  expect(made()).toBe(before + 1);
});
