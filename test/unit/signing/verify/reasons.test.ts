import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { missed, quotable, satisfied, whyOthersDoNotCount } from '../../../../src/signing/verify/reasons.ts';
import type { KeysetVerdict, SignatureReport } from '../../../../src/signing/verify/verdict.ts';
import { authorityOf, slsa } from './support.ts';

const wanted = 'https://sigstore.dev/cosign/sign/v1';

function report(changes: Partial<SignatureReport>): SignatureReport {
  return {
    ...{ manifest: digestOf(Buffer.of()), size: 1, ok: false, code: 'unknown-key', reason: 'a reason' },
    ...{ predicateType: wanted, binding: undefined, algorithm: undefined, spkiSha256: undefined },
    ...{ identity: undefined, claimed: {} },
    ...changes,
  };
}

function keyset(name: string, ok: boolean): KeysetVerdict {
  return { name, ok, code: ok ? 'holds' : 'not-signed', reason: `reason of ${name}`, manifests: [] };
}

describe('of an authority', () => {
  test('that is satisfied, by what', () => {
    expect(satisfied(authorityOf('ci', []), [keyset('a', true), keyset('b', true)])).toBe(
      'authority "ci" is satisfied by keyset "a" and "b"',
    );
  });

  test('that is not, each keyset that does not hold', () => {
    expect(missed(authorityOf('ci', []), [keyset('a', false)])).toBe(
      'authority "ci" is not satisfied: keyset "a": reason of a',
    );
    const three = [keyset('a', false), keyset('b', true), keyset('c', false)];
    expect(missed(authorityOf('ci', [], { threshold: 2 }), three)).toBe(
      'authority "ci" is not satisfied, needs 2 of 3 keysets: keyset "a": reason of a; keyset "c": reason of c',
    );
  });
});

describe('of bundles', () => {
  test('are none where nothing was refused that could have been meant', () => {
    const unrelated = [
      report({ ok: true, code: 'valid' }),
      report({ code: 'foreign', predicateType: undefined }),
      report({ code: 'other-predicate' }),
      report({ predicateType: slsa }),
    ];
    expect(whyOthersDoNotCount(unrelated, wanted)).toBe('');
  });

  test('are told once each, also of what could not be read', () => {
    const reports = [
      report({}),
      report({ code: 'missing', reason: 'not there', predicateType: undefined }),
      report({}),
      report({ predicateType: slsa, reason: 'of an attestation' }),
    ];
    expect(whyOthersDoNotCount(reports, wanted)).toBe(
      '. 3 referrers of the image do not count: a reason (2 times); not there',
    );
    expect(whyOthersDoNotCount([report({})], wanted)).toBe(
      '. 1 referrer of the image does not count: a reason',
    );
  });

  test('are at most three, limits first', () => {
    const reports = ['a', 'b', 'c', 'd'].map((reason) => report({ reason }));
    const limited = [...reports, report({ code: 'over-limit', reason: 'the limit' })];
    expect(whyOthersDoNotCount(limited, wanted)).toBe(
      '. 5 referrers of the image do not count: the limit; a; b; others: see trellis verify --json',
    );
    expect(whyOthersDoNotCount(reports.slice(0, 3), wanted)).toMatch(/: a; b; c$/);
  });
});

describe('in the words of others', () => {
  test('have nothing that a terminal acts on', () => {
    expect(quotable('a\u001b[2J\u009b\n\u202eb\u{e0001}')).toBe(
      'a\\u{1b}[2J\\u{9b}\\u{a}\\u{202e}b\\u{e0001}',
    );
    expect(quotable('Grüße, 世界')).toBe('Grüße, 世界');
  });

  test('are short', () => {
    expect(quotable('x'.repeat(600))).toBe('x'.repeat(600));
    expect(quotable('x'.repeat(601))).toBe(`${'x'.repeat(600)}…`);
  });
});
