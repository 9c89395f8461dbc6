import { expect, test } from 'vitest';
import { createTokenStore } from '../../../../src/registry/auth/token-store.ts';

const token = (value: string) => ({ value, expiresAt: new Date(0) });

test('each owner sees what is its own', () => {
  const store = createTokenStore();
  const [one, other] = [store.own(), store.own()];
  one.set('scope', token('mine'));
  expect(one.get('scope')).toEqual(token('mine'));
  expect(other.get('scope')).toBeUndefined();
  other.delete('scope');
  expect(one.get('scope')).toEqual(token('mine'));
  one.delete('scope');
  expect(one.get('scope')).toBeUndefined();
});

test('long tokens push out those before them: there is one bound for all', () => {
  const store = createTokenStore();
  const [victim, flood] = [store.own(), store.own()];
  victim.set('scope', token('short'));
  for (let index = 0; index < 200; index += 1) flood.set(`scope ${index}`, token('x'.repeat(64 * 1024)));
  expect(victim.get('scope')).toBeUndefined();
  expect(flood.get('scope 0')).toBeUndefined();
  expect(flood.get('scope 199')).toBeDefined();
});
