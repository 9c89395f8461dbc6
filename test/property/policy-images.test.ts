// Rules about images, judged by what comes of them: globs match what the obvious matcher matches; no order and no repetition of
// policies changes what is demanded, and a policy more never demands or revokes less.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namespacedName, type Policy } from '../../src/model/mesh.ts';
import { compileImageGlobs } from '../../src/policy/images/image-glob.ts';
import {
  compileImageRequirements,
  type ImageRequirement,
  type ImageRule,
} from '../../src/policy/images/image-requirements.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { globMatches } from '../support/glob.ts';

const registries = ['a.example', 'b.example:5000', 'docker.io'];
const part = fc.constantFrom('a', 'b', 'ab', 'aab', 'a-b', 'library');
const image = fc
  .tuple(fc.constantFrom(...registries), fc.array(part, { minLength: 1, maxLength: 4 }))
  .map(([registry, path]) => [registry, ...path].join('/'));

const globPart = fc.constantFrom('**', '**', '*', 'a', 'b', 'a*', '*b', 'a*b', '*a*', 'library');
const globOfRegistry = fc.constantFrom('**', '*', '*.example', 'b.example:*', ...registries);
const glob = fc
  .tuple(globOfRegistry, fc.array(globPart, { minLength: 1, maxLength: 4 }))
  .map(([registry, path]) => [registry, ...path].join('/'));

test('a glob matches what the obvious matcher matches', () => {
  const seen = { matched: 0, not: 0 };
  fc.assert(
    fc.property(glob, image, (text, name) => {
      const expected = globMatches(`/${text}`, `/${name}`);
      expect(compileImageGlobs([text])(name)).toBe(expected);
      seen[expected ? 'matched' : 'not']++;
    }),
    { numRuns: fuzzRuns(3_000) },
  );
  expect(seen.matched).toBeGreaterThan(0);
  expect(seen.not).toBeGreaterThan(0);
});

test('a glob without stars matches itself alone, and the same with the port that is implied', () => {
  fc.assert(
    fc.property(image, image, (text, name) => {
      expect(compileImageGlobs([text])(name)).toBe(text === name);
      const [registry = '', ...path] = name.split('/');
      if (registry.includes(':')) return;
      const withPort = [`${registry}:443`, ...path].join('/');
      expect(compileImageGlobs([text])(withPort)).toBe(text === name);
    }),
    { numRuns: fuzzRuns(300) },
  );
});

test('no glob takes long over any name', () => {
  const long = fc.stringMatching(/^([ab*]{0,5}\/){40,60}[ab*]{0,5}$/);
  fc.assert(
    fc.property(long, long, (text, name) => {
      expect([true, false]).toContain(compileImageGlobs([text])(name));
    }),
    { numRuns: fuzzRuns(200) },
  );
});

/** One that can be told from others, and is satisfied or not by its name. */
const authority = fc.constantFrom('good', 'bad').map((name) => ({ name }));
const rule: fc.Arbitrary<ImageRule> = fc.oneof(
  fc.record({
    match: fc.array(glob, { minLength: 1, maxLength: 2 }),
    authorities: fc.array(authority, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    match: fc.array(glob, { minLength: 1, maxLength: 2 }),
    action: fc.constantFrom('allow', 'allow', 'deny'),
  }),
);
const hash = fc.constantFrom('aa', 'bb', 'cc');
const spec: fc.Arbitrary<Policy['spec']> = fc.record(
  {
    enforcement: fc.constantFrom('enforce', 'enforce', 'warn', 'audit'),
    images: fc.array(rule, { minLength: 1, maxLength: 4 }),
    revoked: fc.record({ digests: fc.uniqueArray(hash), keys: fc.uniqueArray(hash) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const policies = (max: number, prefix: string): fc.Arbitrary<Policy[]> =>
  fc
    .array(spec, { maxLength: max })
    .map((specs) =>
      specs.map((each, index) => ({ namespace: 'shop', name: `${prefix}${index}`, spec: each })),
    );

/** Whether the image may run: the digest and the one key that signed it, and the authorities by name. */
interface Signed {
  readonly digest: string;
  readonly key: string;
}

function isAllowed(list: readonly Policy[], name: string, { digest, key }: Signed): boolean {
  const { of, revokedDigests, revokedKeys } = compileImageRequirements(list);
  if (revokedDigests.has(digest)) return false;
  return of(name)
    .filter(({ enforcement }) => enforcement === 'enforce')
    .every((requirement) => isSatisfied(requirement, !revokedKeys.has(key)));
}

function isSatisfied({ outcome }: ImageRequirement, keyCounts: boolean): boolean {
  if (outcome.kind !== 'verify') return outcome.kind === 'allow';
  return keyCounts && (outcome.rule.authorities ?? []).every(({ name }) => name === 'good');
}

/** The same, from the policies themselves and without any of our code. */
function isObviouslyAllowed(list: readonly Policy[], name: string, { digest, key }: Signed): boolean {
  if (list.some((policy) => policy.spec.revoked?.digests?.includes(digest))) return false;
  const keyCounts = !list.some((policy) => policy.spec.revoked?.keys?.includes(key));
  return list.every(({ spec: { enforcement = 'enforce', images } }) => {
    if (enforcement !== 'enforce' || images === undefined) return true;
    const first = images.find(({ match }) => match.some((each) => globMatches(`/${each}`, `/${name}`)));
    if (first === undefined) return false;
    if (first.action !== undefined && first.action !== 'verify') return first.action === 'allow';
    return keyCounts && (first.authorities ?? []).every((each) => each.name === 'good');
  });
}

const signed = fc.record({ digest: fc.constantFrom('aa', 'dd'), key: fc.constantFrom('bb', 'dd') });

describe('what is demanded of an image', () => {
  test('does not depend on order or repetition', () => {
    const shuffled = policies(5, 'p').chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
    fc.assert(
      fc.property(shuffled, image, ([list, other], name) => {
        const [others, lists] = [compileImageRequirements(other), compileImageRequirements(list)];
        expect({ ...others, of: others.of(name) }).toEqual({ ...lists, of: lists.of(name) });
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('is what each policy by itself demands', () => {
    fc.assert(
      fc.property(policies(5, 'p'), image, (list, name) => {
        const alone = list
          .toSorted((a, b) => (namespacedName(a) < namespacedName(b) ? -1 : 1))
          .flatMap((policy) => compileImageRequirements([policy]).of(name));
        expect(compileImageRequirements(list).of(name)).toEqual(alone);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('never becomes less by a policy more', () => {
    fc.assert(
      fc.property(policies(4, 'p'), spec, image, signed, (list, extra, name, by) => {
        const more = [...list, { namespace: 'trellis-system', name: 'extra', spec: extra }];
        const [before, after] = [compileImageRequirements(list), compileImageRequirements(more)];
        expect(after.of(name)).toEqual(expect.arrayContaining([...before.of(name)]));
        expect(before.revokedDigests.isSubsetOf(after.revokedDigests)).toBe(true);
        expect(before.revokedKeys.isSubsetOf(after.revokedKeys)).toBe(true);
        if (isAllowed(more, name, by)) expect(isAllowed(list, name, by)).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('allows what the obvious reading of the policies allows', () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(policies(3, 'p'), image, signed, (list, name, by) => {
        const expected = isObviouslyAllowed(list, name, by);
        expect(isAllowed(list, name, by)).toBe(expected);
        seen[expected ? 'allowed' : 'denied']++;
      }),
      { numRuns: fuzzRuns(1_000) },
    );
    expect(seen.allowed).toBeGreaterThan(0);
    expect(seen.denied).toBeGreaterThan(0);
  });
});
