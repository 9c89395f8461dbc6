import { beforeEach, expect, test } from 'vitest';
import { type Absences, createAbsences } from '../../../../../src/admission/images/contents/absences.ts';
import { digestOf } from '../../../../../src/registry/digest.ts';

const lifeMs = 1_000;
const nobody = Array.from({ length: 1_024 }, (_, n) => digestOf(Buffer.from(`${n}`)));

let now: number;
let absences: Absences;
beforeEach(() => {
  now = 0;
  absences = create();
});

function create(secret = 'secret', maxBytes = 1_000_000): Absences {
  return createAbsences({ maxBytes, lifeMs, now: () => new Date(now), secret: Buffer.from(secret) });
}

function look(place: string, digests: readonly string[], tenant = 'a') {
  const list = absences.listOf(new Set(digests));
  const lookups = absences.lookups(tenant, place, list);
  return {
    due: () => lookups.due(list.entries).map(({ digest }) => digest),
    believed: () => list.entries.filter((entry) => lookups.isBelieved(entry)).length,
    note: (count: number) => {
      for (const entry of lookups.due(list.entries).slice(0, count)) lookups.note(entry, now);
    },
  };
}

test('is about what a registry can be asked for, in whatever order', () => {
  const [a = '', b = ''] = nobody;
  const list = absences.listOf(new Set([b, `md5:${'ab'.repeat(16)}`, a]));
  expect(list.entries.map(({ digest }) => digest)).toEqual([a, b].toSorted());
  expect(absences.listOf(new Set([a, b])).id).toBe(list.id);
  expect(absences.listOf(new Set([a])).id).not.toBe(list.id);
});

test('what was asked about is not due for its life; nothing else is believed', () => {
  look('p', nobody).note(1_000);
  now = lifeMs - 1;
  expect(look('p', nobody).due()).toHaveLength(24);
  expect(look('p', nobody).believed()).toBe(1_000);
  now = -1;
  expect(look('p', nobody).due()).toHaveLength(1_024);
  expect(look('p', nobody).believed()).toBe(0);
});

test('then it is due, the oldest first, after what never was; and believed for a day of lives', () => {
  const three = nobody.slice(0, 3).toSorted();
  const [first, second, third] = three;
  look('p', three).note(1);
  now = 1;
  look('p', three).note(1);
  now = lifeMs + 1;
  expect(look('p', three).due()).toEqual([third, first, second]);
  expect(look('p', three).believed()).toBe(2);
  now = 24 * lifeMs;
  expect(look('p', three).believed()).toBe(1);
});

test('one place says nothing about another, nor one that its name begins with', () => {
  look('scope registry.example/app', nobody).note(1_024);
  for (const place of ['other registry.example/app', 'scope registry.example/ap', 'scope']) {
    expect(look(place, nobody).due()).toHaveLength(1_024);
  }
});

test('what was asked about for another list is known: one digest more is one lookup more', () => {
  look('p', nobody.slice(1)).note(1_023);
  expect(look('p', nobody).due()).toEqual(nobody.slice(0, 1));
  expect(look('p', nobody.slice(5, 10), 'b').due()).toEqual([]);
});

test('and the newest of what was found out counts', () => {
  look('p', nobody.slice(0, 2)).note(2);
  // Begins with what the first one knows, which then is asked again.
  look('p', nobody.slice(0, 1)).note(0);
  now = lifeMs;
  look('p', nobody.slice(0, 2)).note(2);
  expect(look('p', nobody.slice(0, 3)).due()).toEqual(nobody.slice(2, 3));
});

test('who writes policies cannot tell which digests others are taken for', () => {
  const printsBy = (secret: string) => create(secret).listOf(new Set(nobody.slice(0, 8))).prints;
  expect(printsBy('a')).toEqual(printsBy('a'));
  expect(printsBy('a')).not.toEqual(printsBy('b'));
  expect(new Set(absences.listOf(new Set(nobody)).prints).size).toBe(1_024);
});

test('has room for hundreds of places where as much is revoked as one policy can', () => {
  absences = create('secret', 8 * 1024 * 1024);
  const places = Array.from({ length: 450 }, (_, n) => `place ${n}`);
  for (const place of places) look(place, nobody).note(1_024);
  expect(places.filter((place) => look(place, nobody).due().length > 0)).toEqual([]);
});

test('what one tenant names pushes out nothing of another', () => {
  absences = create('secret', 400_000);
  look('p', nobody).note(1_024);
  for (let n = 0; n < 100; n += 1) look(`place ${n}`, nobody, 'evil').note(1_024);
  expect(look('place 0', nobody, 'evil').due()).toHaveLength(1_024);
  expect(look('p', nobody).due()).toEqual([]);
});
