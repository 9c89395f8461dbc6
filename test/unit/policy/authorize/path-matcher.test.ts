// That globs match what they should is in test/property/path-glob.test.ts.

import { expect, test } from 'vitest';
import { compilePathGlob } from '../../../../src/policy/authorize/path-matcher.ts';

function matches(glob: string, pathname: string): boolean {
  return compilePathGlob(glob)({ pathname, segments: pathname.split('/').slice(1) });
}

/** As regular expressions that go back, each of these takes longer than the universe has. */
test.each([
  [`${'/**/a'.repeat(20)}/b`, '/a'.repeat(15_000), '/b'],
  [`/${'*a'.repeat(200)}b`, `/${'a'.repeat(30_000)}`, 'b'],
  [`${'/**/*a*a'.repeat(10)}/b`, '/aaaaaaaa'.repeat(3_000), '/b'],
])('a path made to hurt is decided', (glob, path, end) => {
  expect(matches(glob, path)).toBe(false);
  expect(matches(glob, path + end)).toBe(true);
});
