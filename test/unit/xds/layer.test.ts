import { describe, expect, test } from 'vitest';
import { createLayer, noResources } from '../../../src/xds/layer.ts';
import { diffResources } from '../../../src/xds/layer-diff.ts';
import { viewVersion } from '../../../src/xds/map-version.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { viewOf } from '../../../src/xds/view.ts';
import { cluster, endpoints, snapshot } from './support.ts';

const clusters = (...contents: readonly string[]) =>
  createLayer(contents.map((content) => cluster(content.slice(0, 1), content))).byType.get(
    typeUrls.cluster,
  ) ?? noResources;

describe('createLayer', () => {
  test('sorts resources by type and name', () => {
    const layer = createLayer([cluster('a'), endpoints('a'), cluster('b')]);
    expect([...(layer.byType.get(typeUrls.cluster)?.keys() ?? [])]).toEqual(['a', 'b']);
    expect(layer.byType.get(typeUrls.endpoint)?.get('a')).toBe(endpoints('a'));
  });

  test('two resources of one name are a mistake', () => {
    expect(() => createLayer([cluster('a', '1'), cluster('a', '2')])).toThrow('are named a');
  });
});

describe('diffResources', () => {
  test('what changed and what is gone', () => {
    const diff = diffResources(clusters('a1', 'b1', 'c1'), clusters('a1', 'b2', 'd1'));
    expect(diff.changed).toEqual([cluster('b', 'b2'), cluster('d', 'd1')]);
    expect(diff.removed).toEqual(['c']);
    expect(diff.bytes).toEqual(Buffer.concat([cluster('b', 'b2').bytes, cluster('d', 'd1').bytes]));
  });

  test('every step is computed once, so that all proxies share its bytes', () => {
    const [from, to, other] = [clusters('a1'), clusters('a2'), clusters('a3')];
    expect(diffResources(from, to)).toBe(diffResources(from, to));
    expect(diffResources(from, other)).not.toBe(diffResources(from, to));
    expect(diffResources(from, to).bytes).toBe(diffResources(from, to).bytes);
  });

  test('equal content in other objects is no change', () => {
    const again = new Map([['a', { ...cluster('a', 'a1') }]]);
    expect(diffResources(clusters('a1'), again).changed).toEqual([]);
    expect(diffResources(again, again).changed).toEqual([]);
  });
});

test('the version of a view depends on its content alone', () => {
  const version = (...names: readonly string[]) =>
    viewVersion(viewOf(snapshot(names.map((name) => cluster(name))), typeUrls.cluster));
  expect(version('a', 'b')).toBe(version('b', 'a'));
  expect(version('a', 'b')).not.toBe(version('a', 'c'));
  expect(version()).toBe('0.0');
});
