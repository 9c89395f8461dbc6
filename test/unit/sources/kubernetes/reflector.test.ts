// Lists and watches against an API server that misbehaves on command.

import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../../src/sources/kubernetes/clock.ts';
import { defaultLimits, type Limits } from '../../../../src/sources/kubernetes/limits.ts';
import { Reflector } from '../../../../src/sources/kubernetes/reflect/reflector.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { until } from '../../../support/until.ts';
import {
  clientTo,
  event,
  type FakeApi,
  json,
  list,
  manualClock,
  object,
  refusal,
  startFakeApi,
  watch,
  watchThatBreaks,
  watchThatEnds,
} from './support.ts';

/** Retries at once. */
const impatient: Partial<Limits> = { firstRetryMs: 1, maxRetryMs: 5, shortWatchMs: 0 };

interface Reflected {
  readonly api: FakeApi;
  readonly reflector: Reflector<string>;
  /** `name@version` of what is known. */
  known(): readonly string[];
  /** How often everything was replaced. */
  replaced(): number;
  readonly said: readonly string[];
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

async function reflect(
  options: { readonly limits?: Partial<Limits>; readonly clock?: Clock; readonly random?: number } = {},
): Promise<Reflected> {
  const api = await startFakeApi();
  const controller = new AbortController();
  onEnd(() => controller.abort());
  const limits = { ...defaultLimits, ...impatient, ...options.limits };
  let objects = new Map<string, string>();
  let replaced = 0;
  const said: string[] = [];
  const reflector = new Reflector<string>({
    type: { kind: 'Pod', apiVersion: 'v1', path: '/api/v1/pods' },
    client: clientTo(api.access, limits),
    clock: options.clock ?? systemClock,
    random: () => options.random ?? 0,
    signal: controller.signal,
    limits,
    report: {
      failed: (_type, { code }) => said.push(code),
      recovered: () => said.push('recovered'),
    },
    sink: {
      read: ({ key, resourceVersion }) => `${key.split('/')[1]}@${resourceVersion}`,
      replace: (all) => {
        objects = new Map(all);
        replaced++;
      },
      set: (key, text) => objects.set(key, text),
      delete: (key) => objects.delete(key),
      size: () => objects.size,
    },
  });
  const ended = reflector.run();
  const known = () => [...objects.values()].sort();
  return { api, reflector, known, replaced: () => replaced, said, controller, ended };
}

/** The versions at which watches began; `list` for lists. */
const steps = ({ asked }: FakeApi) =>
  asked.map(({ query }) => (query['watch'] === 'true' ? query['resourceVersion'] : 'list'));

const eventually = (what: string, { known }: Reflected, ...expected: readonly string[]) =>
  until(what, () => JSON.stringify(known()) === JSON.stringify(expected));

test('everything is listed, then watched from there', async () => {
  const it = await reflect();
  it.api.script(
    list('5', [object('a', '3'), object('b', '4')]),
    watch(
      event('ADDED', object('c', '6')),
      event('MODIFIED', object('a', '7')),
      event('DELETED', object('b', '8')),
    ),
  );
  await eventually('the events', it, 'a@7', 'c@6');
  expect(it.api.asked.map(({ method, path, query }) => ({ method, path, query }))).toEqual([
    { method: 'GET', path: '/api/v1/pods', query: { limit: '500' } },
    {
      method: 'GET',
      path: '/api/v1/pods',
      query: { watch: 'true', resourceVersion: '5', allowWatchBookmarks: 'true', timeoutSeconds: '60' },
    },
  ]);
  expect(it.reflector.health.current()).toMatchObject({ kind: 'Pod', lists: 1, events: 3, unusable: 0 });
  expect(it.said).toEqual([]);
});

test('the time that a watch is asked for is left to chance', async () => {
  const it = await reflect({ random: 0.5 });
  it.api.script(list('5', []));
  await until('the watch', () => it.api.asked[1]);
  expect(it.api.asked[1]?.query['timeoutSeconds']).toBe('90');
});

describe('a list', () => {
  test('comes page by page, and counts when it is complete', async () => {
    const it = await reflect({ limits: { pageObjects: 2 } });
    it.api.script(list('5', [object('a', '1'), object('b', '2')], 'more'));
    await until('the second page to be asked for', () => it.api.waiting() === 1);
    expect(it.known()).toEqual([]);
    it.api.script(list('5', [object('c', '3')]));
    await eventually('all', it, 'a@1', 'b@2', 'c@3');
    expect(it.api.asked.slice(0, 2).map(({ query }) => query)).toEqual([
      { limit: '2' },
      { limit: '2', continue: 'more' },
    ]);
  });

  test('whose next page has expired is asked for in one piece', async () => {
    const it = await reflect();
    it.api.script(list('5', [object('a', '1')], 'more'), refusal(410), list('9', [object('b', '8')]));
    await eventually('the list', it, 'b@8');
    expect(it.api.asked[2]?.query).toEqual({});
    expect(it.said).toEqual([]);
  });

  test.each([
    ['an empty object', json(200, {})],
    ['another kind', list('5', [], undefined, 'ServiceList')],
    ['no version', json(200, { kind: 'PodList', metadata: {}, items: [] })],
    ['no items', json(200, { kind: 'PodList', metadata: { resourceVersion: '5' } })],
    ['pages without end', list('5', [], 'more')],
  ])('that is none (%s) empties nothing', async (_, answer) => {
    const it = await reflect();
    it.api.script(list('5', [object('a', '1')]), refusal(410), answer);
    await until('the refusal', () => it.said.includes('ERR_KUBE_PROTOCOL'));
    expect(it.known()).toEqual(['a@1']);
    it.api.script(list('9', []));
    await eventually('a real one', it);
  });

  test('that is not to be had, because the kind is gone, empties nothing', async () => {
    const it = await reflect();
    it.api.script(list('5', [object('a', '1')]), refusal(410), refusal(404));
    await until('the refusal', () => it.said.includes('ERR_KUBE_NOT_FOUND'));
    expect(it.known()).toEqual(['a@1']);
    expect(it.reflector.health.current().syncedSince).toBeDefined();
  });

  test('of null is an empty one', async () => {
    const it = await reflect();
    it.api.script(json(200, { kind: 'PodList', metadata: { resourceVersion: '5' }, items: null }));
    await until('the list', () => it.replaced() === 1);
  });

  test('with more objects than we can hold is refused', async () => {
    const it = await reflect({ limits: { maxObjects: 1 } });
    it.api.script(list('5', [object('a', '1'), object('b', '2')]));
    await until('the refusal', () => it.said.includes('ERR_KUBE_TOO_LARGE'));
    expect(it.known()).toEqual([]);
  });

  test('is refused as well where what fills it is of no use, or always the same', async () => {
    const it = await reflect({ limits: { maxObjects: 2 } });
    const [same, nameless] = [object('a', '1'), { metadata: {} }];
    it.api.script(list('5', [same], '2'), list('5', [nameless], '3'), list('5', [same], '4'));
    await until('the refusal', () => it.said.includes('ERR_KUBE_TOO_LARGE'));
    expect(it.known()).toEqual([]);
  });

  test('passes over what has no name, and says how many', async () => {
    const it = await reflect();
    it.api.script(list('5', [{ metadata: {} }, object('a', '1'), 7 as unknown as object]));
    await eventually('the rest', it, 'a@1');
    expect(it.reflector.health.current().unusable).toBe(2);
  });
});

describe('a watch goes on where it was, without a list, when', () => {
  test.each([
    ['its time is up', watchThatEnds],
    ['its connection breaks', watchThatBreaks],
  ])('%s', async (_, answer) => {
    const it = await reflect();
    it.api.script(
      list('5', []),
      answer(event('ADDED', object('a', '6'))),
      watch(event('ADDED', object('b', '7'))),
    );
    await eventually('both', it, 'a@6', 'b@7');
    expect(steps(it.api)).toEqual(['list', '5', '6']);
  });

  test('a bookmark was the last it heard', async () => {
    const it = await reflect();
    it.api.script(list('5', []), watchThatEnds(event('BOOKMARK', { metadata: { resourceVersion: '90' } })));
    await until('the next watch', () => it.api.asked.length === 3);
    expect(steps(it.api)).toEqual(['list', '5', '90']);
  });

  test('an event was cut off: only whole ones count', async () => {
    const it = await reflect();
    const [whole, cut] = [event('ADDED', object('a', '6')), event('ADDED', object('b', '7'))];
    it.api.script(list('5', []), watchThatBreaks(whole, cut.slice(0, -1)), watch(cut));
    await eventually('both', it, 'a@6', 'b@7');
    expect(steps(it.api)).toEqual(['list', '5', '6']);
  });

  test.each([500, 503, 429, 401, 403])('it is refused with %i', async (status) => {
    const it = await reflect();
    it.api.script(list('5', []), refusal(status), watch(event('ADDED', object('a', '6'))));
    await eventually('the event', it, 'a@6');
    expect(steps(it.api)).toEqual(['list', '5', '5']);
  });
});

describe('everything is listed again when', () => {
  const tooNew = { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } };

  test.each([
    ['the watch is refused with 410', refusal(410)],
    ['it says so in an event', watch(event('ERROR', { kind: 'Status', code: 410, message: 'too old' }))],
    ['the version is from the future', refusal(504, tooNew)],
    ['an event is not JSON', watch('{"type":\n')],
    ['an event is of no known type', watch(event('RENAMED', object('a', '9')))],
    ['an event is too large', watch(event('ADDED', object('b', '9', { x: 'x'.repeat(2_000) })))],
    ['the version is refused', refusal(400)],
  ])('%s', async (_, answer) => {
    const it = await reflect({ limits: { maxEventBytes: 1_000 } });
    it.api.script(list('5', [object('a', '1'), object('b', '2')]), answer, list('9', [object('b', '8')]));
    await eventually('the new list', it, 'b@8');
    expect(steps(it.api).slice(0, 3)).toEqual(['list', '5', 'list']);
  });

  test('it has been long, should a watch ever have missed something', async () => {
    const clock = manualClock();
    const it = await reflect({ clock, limits: { relistMs: 1_000 } });
    it.api.script(list('5', [object('a', '1')]), (response) => {
      clock.advance(1_000);
      watchThatEnds(event('BOOKMARK', { metadata: { resourceVersion: '6' } }))(
        response,
        it.api.asked[0] as never,
      );
    });
    it.api.script(list('9', []));
    await eventually('the new list', it);
  });

  test('and when that fails, the watch goes on meanwhile', async () => {
    const clock = manualClock();
    const it = await reflect({ clock, limits: { relistMs: 1_000 } });
    it.api.script(
      list('5', []),
      (response) => {
        clock.advance(1_000);
        watchThatEnds(event('BOOKMARK', { metadata: { resourceVersion: '6' } }))(
          response,
          it.api.asked[0] as never,
        );
      },
      refusal(429),
      watch(event('ADDED', object('a', '7'))),
    );
    await eventually('the event', it, 'a@7');
    expect(steps(it.api)).toEqual(['list', '5', 'list', '6']);
  });
});

describe('a watch', () => {
  test('passes over an event without an object, and goes on', async () => {
    const it = await reflect();
    it.api.script(list('5', []), watch(event('ADDED', {}), event('ADDED', object('a', '7'))));
    await eventually('the other', it, 'a@7');
    expect(it.reflector.health.current().unusable).toBe(1);
  });

  test('with more objects than we can hold', async () => {
    const it = await reflect({ limits: { maxObjects: 1 } });
    it.api.script(list('5', [object('a', '1')]), watch(event('ADDED', object('b', '6'))));
    await until('the refusal', () => it.said.includes('ERR_KUBE_TOO_LARGE'));
  });

  test('that says nothing for longer than it was asked to last is dead', async () => {
    const clock = manualClock();
    const it = await reflect({ clock });
    it.api.script(list('5', []), watch(event('ADDED', object('a', '6'))));
    await eventually('the event', it, 'a@6');
    const limit = defaultLimits.watchSeconds * 1_000 + defaultLimits.watchSlackMs;
    clock.advance(limit - 1);
    expect(it.said).toEqual([]);
    // However often the guard has to look: only time decides.
    await until('the silence to be noticed', () => {
      clock.advance(1);
      return it.said.includes('ERR_KUBE_TIMEOUT');
    });
    it.api.script(watch(event('ADDED', object('b', '7'))));
    await until('the retry', () => {
      clock.advance(1);
      return it.known().length === 2;
    });
    expect(steps(it.api)).toEqual(['list', '5', '6']);
  });

  test('on which bookmarks come is not', async () => {
    const clock = manualClock();
    const it = await reflect({ clock });
    let say: (line: string) => void = () => {};
    it.api.script(list('5', []), (response) => {
      watch()(response, it.api.asked[0] as never);
      say = (line) => void response.write(line);
    });
    await until('the watch', () => it.reflector.health.current().heardAt);
    for (let version = 6; version < 12; version++) {
      const before = it.reflector.health.current().heardAt?.getTime();
      clock.advance((defaultLimits.watchSeconds * 1_000) / 2);
      say(event('BOOKMARK', { metadata: { resourceVersion: String(version) } }));
      await until('the bookmark', () => it.reflector.health.current().heardAt?.getTime() !== before);
    }
    expect(it.said).toEqual([]);
    expect(it.api.asked).toHaveLength(2);
  });

  test('that ends as soon as it begins is a failure, not a reason to hurry', async () => {
    const clock = manualClock();
    const it = await reflect({ clock, limits: { shortWatchMs: 1_000, firstRetryMs: 100, maxRetryMs: 100 } });
    it.api.script(list('5', []), watchThatEnds());
    await until('the pause', () => clock.sleeping().includes(50));
    expect(it.said).toEqual(['ERR_KUBE_UNREACHABLE']);
    expect(it.api.asked).toHaveLength(2);
  });
});

describe('after a failure', () => {
  test('pauses double up to a limit, and begin anew after a success', async () => {
    const clock = manualClock();
    const it = await reflect({ clock, limits: { firstRetryMs: 100, maxRetryMs: 400 } });
    const pauses: number[] = [];
    const pause = async (): Promise<void> => {
      // The guard of a watch sleeps too, for much longer.
      const ms = await until('a pause', () => clock.sleeping().find((each) => each > 0 && each <= 400));
      pauses.push(ms);
      clock.advance(ms);
    };
    it.api.script(refusal(500), refusal(500), refusal(500), refusal(500));
    for (let count = 0; count < 4; count++) await pause();
    it.api.script(list('5', []), watchThatBreaks(event('ADDED', object('a', '6'))));
    await eventually('the event', it, 'a@6');
    await pause();
    expect(pauses).toEqual([50, 100, 200, 200, 50]);
  });

  test.each([
    ['as the header says', refusal(429, {}, { 'retry-after': '7' }), 7_000],
    ['as the body says', refusal(503, { details: { retryAfterSeconds: 3 } }), 3_000],
    ['but not for ever', refusal(429, {}, { 'retry-after': '86400' }), 60_000],
  ])('waits %s', async (_, answer, ms) => {
    const clock = manualClock();
    const it = await reflect({ clock });
    it.api.script(answer);
    await until('the pause', () => clock.sleeping().includes(ms));
    expect(it.said).toEqual(['ERR_KUBE_OVERLOADED']);
  });

  test('it is said once, and once when it is over', async () => {
    const it = await reflect();
    it.api.script(refusal(500), refusal(502), refusal(403), list('5', []), watch());
    await until('recovery', () => it.said.includes('recovered'));
    expect(it.said).toEqual(['ERR_KUBE_OVERLOADED', 'ERR_KUBE_FORBIDDEN', 'recovered']);
    expect(it.reflector.health.current().failing).toBeUndefined();
  });

  test('since when is known, and what is known stays', async () => {
    const clock = manualClock();
    const it = await reflect({ clock });
    it.api.script(list('5', [object('a', '1')]), refusal(500));
    const failing = await until('the failure', () => it.reflector.health.current().failing);
    expect(failing).toMatchObject({ code: 'ERR_KUBE_OVERLOADED', since: clock.now() });
    expect(it.known()).toEqual(['a@1']);
  });
});

test('ends with its signal, whatever it is doing', async () => {
  const watching = await reflect();
  watching.api.script(list('5', []), watch());
  await until('the watch', () => watching.reflector.health.current().heardAt);
  const listing = await reflect();
  await until('the list', () => listing.api.waiting() === 1);
  const pausing = await reflect({ limits: { firstRetryMs: 1e6, maxRetryMs: 1e6 } });
  pausing.api.script(refusal(500));
  await until('the pause', () => pausing.said.length === 1);
  for (const { controller, ended, said } of [watching, listing, pausing]) {
    const before = said.length;
    controller.abort();
    await ended;
    expect(said).toHaveLength(before);
  }
});
