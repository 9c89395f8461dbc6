import { describe, expect, test } from 'vitest';
import { signPredicateType } from '../../../../src/signing/format/statement.ts';
import { checkPolicy } from '../../../../src/signing/verify/policy.ts';
import { failure } from '../support.ts';
import { authorityOf, keylessFor, keysetOf, policyOf, slsa, testKey } from './support.ts';

const ml = testKey('ML-DSA-65');
const ec = testKey('ECDSA-P256');
const other = testKey('ECDSA-P256');
const a = keysetOf('a', [ml, ec]);
const b = keysetOf('b', [other]);
const keyless = keylessFor(other);
const ci = authorityOf('ci', [a]);

describe('a policy is good', () => {
  test.each([
    ['with one authority', policyOf([ci])],
    ['with a threshold of all keysets', policyOf([authorityOf('ci', [a, b], { threshold: 2 })])],
    ['with keyless alone', policyOf([authorityOf('ci', [], { keyless })])],
    ['with keyless beside keysets', policyOf([authorityOf('ci', [a, b], { keyless, threshold: 2 })])],
    ['with one keyset for two authorities', policyOf([ci, authorityOf('release', [a])])],
    [
      'with revocations',
      policyOf([ci], {
        revokedDigests: new Set([`sha256:${'a'.repeat(64)}`]),
        revokedKeys: new Set(['a'.repeat(64)]),
      }),
    ],
    ['with attestations', policyOf([ci], { attestations: [{ predicateType: slsa, condition: undefined }] })],
  ])('%s', (_, policy) => {
    expect(() => checkPolicy(policy)).not.toThrow();
  });
});

describe('a policy is refused', () => {
  test.each([
    ['without authorities', policyOf([]), /names no authority/],
    [
      'with two authorities of one name',
      policyOf([ci, authorityOf('ci', [b])]),
      /two authorities are named "ci"/,
    ],
    [
      'with an authority of nobody',
      policyOf([authorityOf('ci', [])]),
      /"ci" has neither keysets nor keyless/,
    ],
    [
      'with an empty keyset',
      policyOf([authorityOf('ci', [a, keysetOf('none', [])])]),
      /keyset "none" has no keys/,
    ],
    [
      'with two keysets of one name',
      policyOf([authorityOf('ci', [a, keysetOf('a', [other])])]),
      /has two keysets named "a"/,
    ],
    [
      'with a key in two keysets',
      policyOf([authorityOf('ci', [a, keysetOf('c', [other, ec])])]),
      /one key, \w{64}, in keyset "a" and in "c"/,
    ],
    [
      'with one keyset twice',
      policyOf([authorityOf('ci', [a, { ...a, name: 'c' }], { threshold: 2 })]),
      /in keyset "a" and in "c"/,
    ],
    [
      'with a key twice in one keyset',
      policyOf([authorityOf('ci', [keysetOf('a', [ec, ec])])]),
      /in keyset "a" and in "a"/,
    ],
    [
      'with a threshold of 0',
      policyOf([authorityOf('ci', [a], { threshold: 0 })]),
      /threshold 0, which must be a whole number from 1 to 1/,
    ],
    ['with a negative threshold', policyOf([authorityOf('ci', [a], { threshold: -1 })]), /threshold -1/],
    [
      'with a threshold above its keysets',
      policyOf([authorityOf('ci', [a, b], { threshold: 3 })]),
      /from 1 to 2/,
    ],
    ['with a broken threshold', policyOf([authorityOf('ci', [a, b], { threshold: 1.5 })]), /threshold 1.5/],
    [
      'with a threshold that is no number',
      policyOf([authorityOf('ci', [a], { threshold: Number.NaN })]),
      /threshold NaN/,
    ],
    [
      'with a threshold of 2 for keyless alone',
      policyOf([authorityOf('ci', [], { keyless, threshold: 2 })]),
      /from 1 to 1/,
    ],
    [
      'with a notAfter that is no time',
      policyOf([authorityOf('ci', [keysetOf('a', [ml], new Date('x'))])]),
      /notAfter that is not a time/,
    ],
    [
      'with another bindReference',
      policyOf([ci], { bindReference: 'Repository' as 'repository' }),
      /bindReference is neither/,
    ],
    [
      'without bindReference',
      policyOf([ci], { bindReference: undefined as unknown as 'none' }),
      /bindReference is neither/,
    ],
    [
      'that asks for signatures as attestations',
      policyOf([ci], { attestations: [{ predicateType: signPredicateType, condition: undefined }] }),
      /is the type of signatures/,
    ],
    [
      'that asks for attestations of no type',
      policyOf([ci], { attestations: [{ predicateType: '', condition: undefined }] }),
      /without a predicate type/,
    ],
    [
      'with a revoked digest in capitals',
      policyOf([ci], { revokedDigests: new Set([`sha256:${'A'.repeat(64)}`]) }),
      /the revoked digest "sha256:A+" is not one/,
    ],
    [
      'with a revoked digest without algorithm',
      policyOf([ci], { revokedDigests: new Set(['a'.repeat(64)]) }),
      /the revoked digest/,
    ],
    [
      'with a revoked key in capitals',
      policyOf([ci], { revokedKeys: new Set(['A'.repeat(64)]) }),
      /the revoked key "A+" is not/,
    ],
    [
      'with a revoked key of half the length',
      policyOf([ci], { revokedKeys: new Set(['a'.repeat(32)]) }),
      /the revoked key/,
    ],
    [
      'with a revoked key of a digit more',
      policyOf([ci], { revokedKeys: new Set(['a'.repeat(65)]) }),
      /revoked key/,
    ],
    [
      'with a revoked key and more',
      policyOf([ci], { revokedKeys: new Set([`${'a'.repeat(64)} `]) }),
      /revoked key/,
    ],
    [
      'with more and a revoked key',
      policyOf([ci], { revokedKeys: new Set([` ${'a'.repeat(64)}`]) }),
      /revoked key/,
    ],
  ])('%s', async (_, policy, reason) => {
    await failure('ERR_VERIFICATION_POLICY_INVALID', () => checkPolicy(policy), reason);
  });

  test('whose key is called one of another algorithm', async () => {
    const key = { ...ec.publicKey, algorithm: 'ECDSA-P384' as const };
    const policy = policyOf([authorityOf('ci', [{ ...a, keys: [key] }])]);
    await failure(
      'ERR_VERIFICATION_POLICY_INVALID',
      () => checkPolicy(policy),
      /one of ECDSA-P384, which it is not/,
    );
  });
});
