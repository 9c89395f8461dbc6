import { beforeEach, expect, test } from 'vitest';
import { FairCache } from '../../../../../src/admission/images/contents/fair-cache.ts';

const maxBytes = 100_000;
const idleMs = 1_000;

let now: number;
let cache: FairCache<string>;
beforeEach(() => {
  now = 0;
  cache = new FairCache({ maxBytes, idleMs, now: () => new Date(now) });
});

function fill(tenant: string, count: number, bytes = 1_000) {
  for (let n = 0; n < count; n += 1) cache.add(tenant, `${tenant} ${n}`, `${n}`, bytes);
}

/** Without asking for it: who asks holds it. */
function has(key: string): boolean {
  return [...cache].some(([each]) => each === key);
}

test('what one tenant adds pushes out nothing of another', () => {
  fill('good', 20);
  fill('evil', 10_000);
  expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
  expect(Array.from({ length: 20 }, (_, n) => cache.get('good', `good ${n}`))).not.toContain(undefined);
  // Its own newest ones are there, and as many as there is room for.
  expect(has('evil 9999')).toBe(true);
  expect([...cache].length).toBeGreaterThan(60);
});

test('many tenants share: who holds most gives way, the oldest first', () => {
  for (const tenant of ['a', 'b', 'c', 'd']) fill(tenant, 1_000);
  const counts = ['a', 'b', 'c', 'd'].map(
    (tenant) => [...cache].filter(([key]) => key.startsWith(tenant)).length,
  );
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  expect(Math.min(...counts)).toBeGreaterThan(15);
  expect(has('a 999')).toBe(true);
  expect(has('a 0')).toBe(false);
});

test('of one tenant, what was asked for last stays', () => {
  fill('a', 50);
  cache.get('a', 'a 0');
  for (let n = 0; n < 40; n += 1) cache.add('a', `more ${n}`, 'value', 1_000);
  expect(has('a 0')).toBe(true);
  expect(has('a 1')).toBe(false);
});

test('what another one has asked for as well stays with it, and counts once', () => {
  cache.add('evil', 'shared', 'value', 5_000);
  const before = cache.bytes;
  expect(cache.get('good', 'shared')).toBe('value');
  expect(cache.bytes - before).toBeLessThan(1_000);
  fill('evil', 1_000);
  expect(cache.get('good', 'shared')).toBe('value');
  // Both let go of it.
  fill('good', 1_000);
  expect(has('shared')).toBe(false);
});

test('holds what is there by that key, whoever brought it', () => {
  expect(cache.add('a', 'key', 'first', 10)).toBe('first');
  expect(cache.add('b', 'key', 'second', 10)).toBe('first');
  expect(cache.get('b', 'key')).toBe('first');
});

test('keeps nothing that would push out the rest of its tenant', () => {
  fill('a', 20);
  expect(cache.add('a', 'large', 'value', maxBytes / 16)).toBe('value');
  expect(cache.get('a', 'large')).toBeUndefined();
  expect(cache.add('a', 'less', 'value', maxBytes / 16 - 1_000)).toBe('value');
  expect(cache.get('a', 'less')).toBe('value');
});

test('who has not asked for long gives way first, however little it holds', () => {
  fill('gone', 20);
  now = idleMs - 1;
  fill('a', 30);
  expect(has('gone 0')).toBe(true);
  now = idleMs;
  fill('c', 40);
  expect([...cache].filter(([key]) => key.startsWith('gone')).length).toBeLessThan(10);
  expect([...cache].filter(([key]) => key.startsWith('a')).length).toBe(30);
  // Who asks is here again.
  fill('gone', 20);
  fill('a', 1_000);
  expect([...cache].filter(([key]) => key.startsWith('gone')).length).toBe(20);
});

test('accounts for what it lets go of, to the last byte', () => {
  for (let n = 0; n < 500; n += 1) cache.add(`tenant ${n % 50}`, `key ${n % 120}`, 'value', 3_000);
  expect(cache.bytes).toBeGreaterThan(0);
  expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
  now = 2 * idleMs;
  // All others are gone by now.
  for (let n = 0; n < 60; n += 1) cache.add('last', `own ${n}`, 'value', 3_000);
  const keys = [...cache].map(([key]) => key);
  expect(keys.every((key) => key.startsWith('own'))).toBe(true);
  const alone = new FairCache<string>({ maxBytes, idleMs, now: () => new Date(now) });
  for (const key of keys) alone.add('last', key, 'value', 3_000);
  expect(cache.bytes).toBe(alone.bytes);
});
