import { describe, expect, test } from 'vitest';
import { noResources } from '../../../src/xds/layer.ts';
import { NameSet } from '../../../src/xds/name-set.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { viewOf } from '../../../src/xds/view.ts';
import { endpoints, snapshot } from './support.ts';

const names = (...all: readonly string[]) => NameSet.empty.with(all);

describe('NameSet', () => {
  test('proxies that want the same share one set, in whatever order they ask', () => {
    expect(names('a', 'b', 'c')).toBe(names('c', 'a', 'b', 'a'));
    expect(names('a', 'b')).not.toBe(names('a', 'c'));
  });

  test('and still do when they follow a change', () => {
    const [one, other] = [names('a', 'b'), names('b', 'a')];
    expect(one.with(['c'])).toBe(other.with(['c']));
    expect([...one.with(['c', 'a'])].sort()).toEqual(['a', 'b', 'c']);
    expect(one.with(['c']).without(['c', 'missing'])).toBe(one);
    expect([...one.without(['a'])]).toEqual(['b']);
  });

  test('a list that asked before is known', () => {
    const list = ['a', 'b', 'a'];
    const set = NameSet.empty.with(list);
    expect(NameSet.empty.with(list)).toBe(set);
    expect([...set]).toEqual(['a', 'b']);
  });

  test('knows its length in UTF-8, each name counted once', () => {
    expect(NameSet.empty.bytes).toBe(0);
    const set = names('a', 'bc', 'a', 'é', '€');
    expect(set.bytes).toBe(8);
    expect(set.with(['bc', 'defg']).bytes).toBe(12);
    expect(set.without(['€', 'missing']).bytes).toBe(5);
  });

  test('asking for names and leaving the same names are two things', () => {
    const set = names('a', 'z');
    expect([...set.with(['a', 'b'])].sort()).toEqual(['a', 'b', 'z']);
    expect([...set.without(['a', 'b'])]).toEqual(['z']);
  });

  test('what changes nothing gives the same set', () => {
    const set = names('a', 'b');
    expect(set.with(['b'])).toBe(set);
    expect(set.with([])).toBe(set);
    expect(set.without(['c'])).toBe(set);
    expect(set.without(['a', 'b'])).toBe(NameSet.empty);
  });

  test('a name that contains the separator is no other pair of names', () => {
    const set = names('x');
    expect([...set.with(['a\0b'])].sort()).toEqual(['a\0b', 'x']);
    expect([...set.with(['a', 'b'])].sort()).toEqual(['a', 'b', 'x']);
  });

  test('selects what is there, once for all', () => {
    const { shared } = viewOf(snapshot([endpoints('a'), endpoints('b'), endpoints('c')]), typeUrls.endpoint);
    const selection = names('c', 'missing', 'a').select(shared);
    expect(selection.resources.map(({ name }) => name).sort()).toEqual(['a', 'c']);
    expect(selection.others).toEqual(['missing']);
    expect(selection.bytes).toEqual(Buffer.concat(selection.resources.map(({ bytes }) => bytes)));
    expect(names('a', 'c', 'missing').select(shared)).toBe(selection);
    expect(NameSet.empty.select(noResources).resources).toEqual([]);
  });
});
