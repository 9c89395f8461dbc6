import { expect, test } from 'vitest';
import { shadowsOf } from '../../../../src/admission/explain/shadows.ts';
import { compileImageGlobs } from '../../../../src/policy/images/image-glob.ts';

test.each([
  ['nothing before it', ['a.example/**'], []],
  ['everything', ['**', 'a.example/b'], [0]],
  ['everything, as does this one', ['**', '**'], [0]],
  ['the same', ['a.example/b/*', 'a.example/b/*'], [0]],
  ['all below', ['a.example/**', 'a.example/b/*'], [0]],
  ['all below, and a name', ['a.example/**', 'a.example/b/c'], [0]],
  ['one level, and a name', ['a.example/*', 'a.example/b'], [0]],
  ['one level, and what is deeper', ['a.example/*', 'a.example/b/**'], []],
  ['all below, and a registry whose name begins alike', ['a.example/**', 'a.example.org/*'], []],
  ['less', ['a.example/b', 'a.example/**'], []],
  ['something else', ['a.example/b', 'a.example/c'], []],
])('before it is matched: %s', (_, globs, shadows) => {
  const rules = globs.map((glob) => ({ match: [glob] }));
  expect(shadowsOf(rules, rules.length - 1)).toEqual(shadows);
});

test('each of several globs may be matched by a rule of its own, and one that is not reaches the rule', () => {
  const before = [{ match: ['a.example/**'] }, { match: ['x.example/**', 'b.example/**'] }];
  const of = (...match: readonly string[]) => shadowsOf([...before, { match }], 2);
  expect(of('b.example/c', 'a.example/c', 'b.example/d')).toEqual([0, 1]);
  expect(of('b.example/c', 'c.example/c')).toEqual([]);
});

test('what is said to be matched before is: no name is left for the later rule', () => {
  const names = ['a.example/b', 'a.example/b/c', 'a.example/bc', 'a.example.org/b', 'a.example/b/c/d'];
  const globs = [
    '**',
    '*/**',
    'a.example/**',
    'a.example/*',
    'a.example/b*',
    'a.example/b/**',
    'a.example/*/c',
  ];
  for (const earlier of globs) {
    for (const later of [...globs, ...names]) {
      if (shadowsOf([{ match: [earlier] }, { match: [later] }], 1).length === 0) continue;
      const left = names.filter(
        (name) => compileImageGlobs([later])(name) && !compileImageGlobs([earlier])(name),
      );
      expect([earlier, later, left]).toEqual([earlier, later, []]);
    }
  }
});
