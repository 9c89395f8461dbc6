import { describe, expect, test } from 'vitest';
import { compileImageGlobs, neverMatches } from '../../../../src/policy/images/image-glob.ts';

const matches = (glob: string, name: string) => compileImageGlobs([glob])(name);

describe('a glob over image names', () => {
  test.each([
    ['**', 'docker.io/library/nginx', true],
    ['docker.io/library/nginx', 'docker.io/library/nginx', true],
    ['docker.io/library/nginx', 'docker.io/library/nginx-unprivileged', false],
    ['docker.io/library/nginx', 'quay.io/docker.io/library/nginx', false],
    ['docker.io/**', 'docker.io/library/nginx', true],
    ['docker.io/**', 'docker.io.example/library/nginx', false],
    ['registry.example/trading/**', 'registry.example/trading/gateway', true],
    ['registry.example/trading/**', 'registry.example/trading/a/b/c', true],
    ['registry.example/trading/**', 'registry.example/trading', true],
    ['registry.example/trading/**', 'registry.example/trading-evil/a', false],
    ['registry.example/trading/**', 'evil.example/registry.example/trading/a', false],
    ['registry.example/*', 'registry.example/a', true],
    ['registry.example/*', 'registry.example/a/b', false],
    ['registry.example/*/web', 'registry.example/a/web', true],
    ['registry.example/*/web', 'registry.example/a/b/web', false],
    ['registry.example/**/web', 'registry.example/web', true],
    ['registry.example/**/web', 'registry.example/a/b/web', true],
    ['registry.example/**/web', 'registry.example/a/b/webs', false],
    ['registry.example/team-*/web*', 'registry.example/team-a/web', true],
    ['registry.example/team-*/web*', 'registry.example/team/web', false],
    ['**/nginx', 'docker.io/library/nginx', true],
    ['**/nginx', 'docker.io/library/nginx/evil', false],
    ['*.example/a', 'registry.example/a', true],
    ['*.example/a', 'evil.com/x.example/a', false],
    ['registry.example/a', 'registryXexample/a', false],
    ['registry.example:5000/a', 'registry.example:5000/a', true],
    ['registry.example/a', 'registry.example:5000/a', false],
    // One server, two spellings.
    ['registry.example/a', 'registry.example:443/a', true],
    ['registry.example/a', 'registry.example:4433/a', false],
    ['*/a', 'registry.example:443/a', true],
    ['localhost:5000/**', 'localhost:5000/a', true],
  ])('%s %s: %s', (glob, name, expected) => {
    expect(matches(glob, name)).toBe(expected);
  });

  test('is one of several', () => {
    const either = compileImageGlobs(['a.example/*', 'b.example/*']);
    expect([either('a.example/x'), either('b.example/x'), either('c.example/x')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  /** A backtracking matcher would be at it until the certificates run out. */
  test('takes no longer than its length says, however many stars there are', () => {
    const segments = Array.from({ length: 120 }, () => 'aaaa').join('/');
    expect(matches(`registry.example/${'**/a*a*a*/'.repeat(40)}b`, `registry.example/${segments}`)).toBe(
      false,
    );
    expect(matches(`registry.example/${'*a'.repeat(200)}b`, `registry.example/${'a'.repeat(400)}`)).toBe(
      false,
    );
  });
});

describe('a glob that no image can match, and what to write instead', () => {
  test.each([
    ['index.docker.io/library/nginx', 'write docker.io/library/nginx'],
    ['registry-1.docker.io/**', 'write docker.io/**'],
    ['docker.io/nginx', 'write docker.io/library/nginx'],
    ['docker.io/*', 'write docker.io/library/*, or docker.io/**'],
    ['registry.example:443/a', 'write registry.example/a'],
    ['registry.example:/a', '"registry.example:" is no name of a registry'],
    ['nginx:1.27/a', 'no name of a registry'],
    ['registry..example/a', 'no name of a registry'],
    ['-registry.example/a', 'no name of a registry'],
    ['registry.example/.a', 'no repository has a part ".a"'],
    ['registry.example/a..b', 'no repository has a part "a..b"'],
    ['registry.example/a-/b', 'no repository has a part "a-"'],
    ['registry.example/**/_a', 'no repository has a part "_a"'],
    ['registry.example/-*', 'no repository has a part "-*"'],
  ])('%s: %s', (glob, hint) => {
    expect(neverMatches(glob)).toContain(hint);
  });

  test.each([
    '**',
    '**/nginx',
    '*/**',
    '*.example/a',
    'docker.io/**',
    'docker.io/library/*',
    'docker.io/**/nginx',
    'docker.io/**/**',
    'localhost/a',
    'localhost:5000/a',
    '10.0.0.1:5000/a',
    'registry.example/a__b/c--d/e.f/*',
  ])('%s is not one', (glob) => {
    expect(neverMatches(glob)).toBeUndefined();
  });
});
