import { describe, expect, test } from 'vitest';
import { type PageOptions, pagesOf } from '../../../../src/sources/kubernetes/cluster/pages.ts';
import { clientTo, json, list, object, startFakeApi } from './support.ts';

async function start(changes: Partial<PageOptions> = {}) {
  const api = await startFakeApi();
  const { signal } = new AbortController();
  const options = { client: clientTo(api.access), signal, limit: 2, maxBytes: 10_000, ...changes };
  return { api, pages: pagesOf({ kind: 'Pod', path: '/api/v1/pods' }, options) };
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) found.push(page);
  return found;
}

test('one after the other, as they came', async () => {
  const { api, pages } = await start();
  const [a, b, c] = [object('a', '1'), object('b', '2'), object('c', '3')];
  api.script(list('5', [a, b], 'more'), list('5', [c]));
  expect(await all(pages)).toEqual([
    { items: [a, b], resourceVersion: '5' },
    { items: [c], resourceVersion: '5' },
  ]);
  expect(api.asked.map(({ query }) => query)).toEqual([{ limit: '2' }, { limit: '2', continue: 'more' }]);
});

test('all in one piece, where no limit is given', async () => {
  const { api, pages } = await start({ limit: undefined });
  api.script(list('5', [object('a', '1')]));
  expect(await all(pages)).toHaveLength(1);
  expect(api.asked[0]?.query).toEqual({});
});

test('an empty list, as Go writes it', async () => {
  const { api, pages } = await start();
  api.script(json(200, { kind: 'PodList', metadata: { resourceVersion: '5' }, items: null }));
  expect(await all(pages)).toEqual([{ items: [], resourceVersion: '5' }]);
});

describe('refused is', () => {
  test.each([
    ['an empty object', [json(200, {})]],
    ['a list of another kind', [list('5', [], undefined, 'ServiceList')]],
    ['one without a version', [json(200, { kind: 'PodList', metadata: {}, items: [] })]],
    ['one without items', [json(200, { kind: 'PodList', metadata: { resourceVersion: '5' } })]],
    ['an empty page with another to follow', [list('5', [], 'more')]],
    [
      'a page that is followed by itself',
      [list('5', [object('a', '1')], 'more'), list('5', [object('a', '1')], 'more')],
    ],
  ])('%s', async (_, answers) => {
    const { api, pages } = await start();
    api.script(...answers);
    await expect(all(pages)).rejects.toMatchObject({ code: 'ERR_KUBE_PROTOCOL' });
  });

  test('a page of more bytes than may be', async () => {
    const { api, pages } = await start({ maxBytes: 100 });
    api.script(list('5', [object('a', '1')]));
    await expect(all(pages)).rejects.toMatchObject({ code: 'ERR_KUBE_TOO_LARGE' });
  });
});
