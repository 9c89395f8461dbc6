import { expect, test, vi } from 'vitest';
import { createTrustPool } from '../../../../../src/admission/images/policies/trust-pool.ts';
import { keylessFor } from '../../../signing/verify/support.ts';
import { ec, ml } from '../support.ts';

test('equal keys are one object', () => {
  const pool = createTrustPool();
  const [first, second] = [{ ...ml.publicKey }, { ...ml.publicKey }];
  expect(pool.key(first)).toBe(first);
  expect(pool.key(second)).toBe(first);
  expect(pool.key(ec.publicKey)).toBe(ec.publicKey);
});

test('rules about certificates are one object for all that they are made from, and no less', () => {
  const pool = createTrustPool();
  const make = vi.fn(() => keylessFor(ec));
  const rules = [
    ['root', 'issuer', 'subject'],
    ['root', 'issuer', { regexp: 'subject' }],
    ['root', 'issuer', 'subject'],
    ['other', 'issuer', 'subject'],
  ].map((content) => pool.keyless(content, make));
  expect(make).toHaveBeenCalledTimes(3);
  expect(rules[2]).toBe(rules[0]);
  expect(new Set(rules).size).toBe(3);
});
