import { describe, expect, test } from 'vitest';
import { Pattern } from '../../../../src/policy/condition/pattern.ts';
import { SigningError } from '../../../../src/signing/errors.ts';
import { identityMatcher } from '../../../../src/signing/keyless/identity-pattern.ts';
import { failure } from '../support.ts';

/** What is said against an expression; undefined: nothing. */
function refusal(compile: () => unknown): string | undefined {
  try {
    compile();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('an identity', () => {
  test('given as a text is that text', () => {
    const { matches, description } = identityMatcher('subject', 'ci@example.com');
    expect(description).toBe('subject ci@example.com');
    expect([matches('ci@example.com'), matches('ci@exampleXcom'), matches('aci@example.com')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('given as an expression has to match as a whole', () => {
    const { matches } = identityMatcher('subject', { regexp: 'ci|cd@example' });
    expect([matches('ci'), matches('cd@example'), matches('ci@example'), matches('a ci')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('is not looked at when it is longer than any: a certificate that nobody has checked yet names it', () => {
    const { matches } = identityMatcher('subject', { regexp: 'a*' });
    expect([matches('a'.repeat(1024)), matches('a'.repeat(1025))]).toEqual([true, false]);
  });

  test.each([
    ['an empty text', '', /subject .* is empty/],
    ['a long text', 'a'.repeat(1025), /longer than 1024/],
    ['an empty expression', { regexp: '' }, /for the subject is empty/],
  ])('is not %s', async (_, pattern, reason) => {
    await failure('ERR_VERIFICATION_POLICY_INVALID', () => identityMatcher('subject', pattern), reason);
  });
});

/** A policy is checked where it is written, and used where it is verified: what passes there must not fail here. */
describe('policies and verification say the same of', () => {
  test.each([
    ...['a', '.*', 'a|b', '^a$', '(?i)a', '[^/]+', '\\p{Greek}', 'a{100}', '(a{10}){10}'],
    ...['(', ')', 'a**', '(?=a)', '(a)\\1', 'a{1001}', '[b-a]', '\\', '(?P<n>a', 'a)|(b'],
    ...['a'.repeat(254), 'a'.repeat(255), 'a'.repeat(256), 'a'.repeat(512), 'a'.repeat(513)],
    ...['(a{30}){30}', 'a{254}', 'a{255}', '(a|b){80}', '(a|b){90}', '[ac]?'.repeat(102)],
    ...[`(?:${'a'.repeat(506)})`, `[${'a'.repeat(510)}]`, `[${'a'.repeat(511)}]`, 'ä'.repeat(200)],
  ])('%s', (source) => {
    const byPolicy = refusal(() => new Pattern(source, { spent: 0 }));
    expect(refusal(() => identityMatcher('subject', { regexp: source }))).toBe(byPolicy);
  });

  test('errors, which are of their own kind', () => {
    expect(() => identityMatcher('issuer', { regexp: '(' })).toThrow(SigningError);
  });
});
