import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createConditionOutcomes } from '../../../../../src/admission/images/remembering/condition-outcomes.ts';
import { createExaminationCache } from '../../../../../src/admission/images/remembering/examination-cache.ts';
import { digestOf } from '../../../../../src/registry/digest.ts';
import type { Examination } from '../../../../../src/signing/verify/examination.ts';
import { examine } from '../../../../../src/signing/verify/examine.ts';
import { SignatureChecks } from '../../../../../src/signing/verify/signature-checks.ts';
import {
  authorityOf,
  bundleBytes,
  digest,
  found,
  keysetOf,
  now,
  payloadBy,
  policyOf,
  repository,
  slsa,
} from '../../../signing/verify/support.ts';
import { hybrid, otherHybrid } from '../support.ts';

const policy = policyOf([authorityOf('ci', [keysetOf('a', hybrid)])], {
  attestations: [{ predicateType: slsa, condition: undefined }],
});

function examination(predicate?: Readonly<Record<string, unknown>>, keys = hybrid): Examination {
  return examinationOf(
    payloadBy(keys, predicate === undefined ? {} : { predicateType: slsa, predicate }),
    keys,
  );
}

function examinationOf(payload: Uint8Array, keys = hybrid): Examination {
  const question = { reference: repository, digest, repository, policy, now };
  const examined = keys.map((key) =>
    examine(found(bundleBytes(key, payload)), question, new SignatureChecks(10)),
  );
  return { examined, failures: [], isComplete: true };
}

const keyOf = (name: string | number) => ({
  digest: digestOf(Buffer.from(`image ${name}`)),
  repository,
  fingerprint: 'f',
});
const cacheOf = (maxBytes = 64 * 1024 * 1024) =>
  createExaminationCache({ maxBytes, lifeMs: 1_000, now: () => now, outcomes: createConditionOutcomes() });

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

describe('what it says that it takes', () => {
  const packages = Array.from({ length: 50 }, (_, index) => ({ name: `package-${index}`, version: '1.0' }));
  const kinds: Record<string, Readonly<Record<string, unknown>> | undefined> = {
    signatures: undefined,
    'attestations of packages': { packages },
    'attestations of nothing': { list: Array.from({ length: 500 }, () => ({})) },
    'attestations of indices': { list: Array.from({ length: 500 }, () => ({ '900': 1 })) },
  };

  test.each(Object.entries(kinds))('is what V8 takes, for %s', (_, predicate) => {
    const cache = cacheOf();
    const count = 200;
    const made = Array.from({ length: 10 }, () => examination(predicate));
    collect();
    const { heapUsed } = process.memoryUsage();
    for (let index = 0; index < count; index += 1) cache.keep(keyOf(index), examination(predicate), now);
    collect();
    const taken = process.memoryUsage().heapUsed - heapUsed;
    expect(cache.entries).toBe(count);
    expect(made).toHaveLength(10);
    expect(cache.bytes).toBeGreaterThan(0.9 * taken);
    expect(cache.bytes).toBeLessThan(3 * taken);
  });
});

test('there is an end to it, whatever comes', () => {
  const cache = cacheOf(200_000);
  const small = examination();
  for (let index = 0; index < 10_000; index += 1) cache.keep(keyOf(index), small, now);
  expect(cache.bytes).toBeLessThanOrEqual(200_000);
  expect(cache.get(keyOf(9_999))).toBeDefined();
  expect(cache.get(keyOf(0))).toBeUndefined();
  // What is larger than its share of it pushes nothing out.
  const { entries } = cache;
  cache.keep(keyOf('large'), examination({ text: 'x'.repeat(13_000) }), now);
  expect(cache.get(keyOf('large'))).toBeUndefined();
  expect(cache.entries).toBe(entries);
});

test('it keeps what counts, and gives it as less than all that there is', () => {
  const cache = cacheOf();
  const [good, bad] = [examination(), examination(undefined, otherHybrid)];
  cache.keep(keyOf(1), { ...good, examined: [...bad.examined, ...good.examined], failures: ['one'] }, now);
  expect(cache.get(keyOf(1))).toEqual({ examined: good.examined, failures: [], isComplete: false });
});

test('digest, repository and fingerprint: each of them is asked for', () => {
  const cache = cacheOf();
  cache.keep(keyOf(1), examination(), now);
  expect(cache.get(keyOf(1))).toBeDefined();
  for (const changes of [
    { digest },
    { repository: 'registry.example/trading/other' },
    { fingerprint: 'other' },
  ]) {
    expect(cache.get({ ...keyOf(1), ...changes })).toBeUndefined();
  }
});

test('of one look the most is kept, and of two the last', () => {
  const cache = cacheOf();
  const all = examination();
  const some = { ...all, examined: all.examined.slice(0, 1) };
  const countOf = () => cache.get(keyOf(1))?.examined.length;
  cache.keep(keyOf(1), some, now);
  cache.keep(keyOf(1), all, now);
  cache.keep(keyOf(1), some, now);
  expect(countOf()).toBe(2);
  cache.keep(keyOf(1), some, new Date(now.getTime() - 1));
  expect(countOf()).toBe(1);
});

describe('conditions', () => {
  const large = { text: 'x'.repeat(300_000) };
  const predicateOf = ({ examined }: Pick<Examination, 'examined'>) => {
    const predicate = examined[0]?.counted?.statement.predicate;
    if (predicate === undefined) throw new Error('no predicate');
    return predicate;
  };

  /** A cache, and a condition that is asked about what it holds. */
  function asking(text: string, holds: () => true | string = () => true) {
    const outcomes = createConditionOutcomes();
    const cache = createExaminationCache({
      ...{ maxBytes: 64 * 1024 * 1024, lifeMs: 1_000, now: () => now, outcomes },
    });
    const evaluated: unknown[] = [];
    const [requirement] = outcomes.remembering([
      {
        predicateType: slsa,
        condition: {
          text,
          holds: ({ predicate }) => {
            evaluated.push(predicate);
            return holds();
          },
        },
      },
    ]);
    const ask = (predicate: object) =>
      requirement?.condition?.holds({ predicateType: slsa, predicate, subject: digest });
    const got = () => {
      const found = cache.get(keyOf(1));
      if (found === undefined) throw new Error('nothing is kept');
      return found;
    };
    return { cache, ask, evaluated, got };
  }

  test('a predicate that is small is kept, and one payload is kept once', () => {
    const { cache, got } = asking('c');
    const found = examination({ builder: 'ci' });
    cache.keep(keyOf(1), found, now);
    const [a, b] = got().examined;
    expect(a?.counted?.statement).toBe(found.examined[0]?.counted?.statement);
    expect(b?.counted?.statement).toBe(a?.counted?.statement);
  });

  test('of one that is large, what conditions came to is kept, and nothing is true that was not asked', () => {
    const { cache, ask, evaluated, got } = asking('c');
    const found = examination(large);
    ask(predicateOf(found));
    cache.keep(keyOf(1), found, now);
    expect(cache.bytes).toBeLessThan(10_000);
    expect(ask(predicateOf(got()))).toBe(true);
    expect(evaluated).toHaveLength(1);
    const { ask: askOther, cache: other, got: gotOther, evaluated: evaluatedThere } = asking('c');
    other.keep(keyOf(1), found, now);
    expect(askOther(predicateOf(gotOther()))).toMatch(/looked at again/);
    expect(evaluatedThere).toEqual([]);
    // Whoever reads it all the same gets nothing.
    expect(() => Object.keys(predicateOf(gotOther()))).toThrow(TypeError);
  });

  test('the predicates of one entry are large together, too', () => {
    const { cache, got } = asking('c');
    const many = Array.from({ length: 10 }, (_, index) => examination({ index, text: 'x'.repeat(60_000) }));
    cache.keep(
      keyOf(1),
      { examined: many.flatMap(({ examined }) => examined), failures: [], isComplete: true },
      now,
    );
    expect(cache.bytes).toBeGreaterThan(4 * 60_000);
    expect(cache.bytes).toBeLessThan(5 * 60_000);
    expect(got().examined).toHaveLength(20);
  });

  test('what they came to is known of the same bytes in the next look', () => {
    const { cache, ask, evaluated } = asking('c', () => 'no');
    const payload = payloadBy(hybrid, { predicateType: slsa, predicate: large });
    const [first, second] = [examinationOf(payload), examinationOf(payload)];
    const another = examination(large);
    ask(predicateOf(first));
    cache.keep(keyOf(1), first, now);
    cache.recognise(keyOf(1), second.examined);
    cache.recognise(keyOf(1), another.examined);
    expect(ask(predicateOf(second))).toBe('no');
    expect(evaluated).toHaveLength(1);
    ask(predicateOf(another));
    expect(evaluated).toHaveLength(2);
    // Of another image nothing is known.
    const third = examinationOf(payload);
    cache.recognise(keyOf(2), third.examined);
    ask(predicateOf(third));
    expect(evaluated).toHaveLength(3);
  });

  test('what they came to is weighed, and so many of them are kept, those asked last', () => {
    const outcomes = createConditionOutcomes();
    const cache = createExaminationCache({
      ...{ maxBytes: 64 * 1024 * 1024, lifeMs: 1_000, now: () => now, outcomes },
    });
    const found = examination({ builder: 'ci' });
    cache.keep(keyOf(1), found, now);
    const before = cache.bytes;
    const evaluated: string[] = [];
    const ask = (text: string) => {
      const holds = () => {
        evaluated.push(text);
        return 'a reason'.repeat(20);
      };
      const [asked] = outcomes.remembering([{ predicateType: slsa, condition: { text, holds } }]);
      asked?.condition?.holds({ predicateType: slsa, predicate: predicateOf(found), subject: digest });
    };
    ask('first');
    for (let index = 0; index < 1_000; index += 1) {
      ask(`${index} ${'x'.repeat(1_000)}`);
      ask('first');
    }
    cache.weigh(keyOf(1));
    expect(cache.bytes - before).toBeGreaterThan(31 * 1_160);
    expect(cache.bytes - before).toBeLessThan(32 * 2_000);
    expect(evaluated.filter((text) => text === 'first')).toHaveLength(1);
  });
});
