import { describe, expect, test } from 'vitest';
import { CryptoError } from '../../../src/crypto/errors.ts';
import { createTrustBundle, trustBundleFromPem, trustBundleToPem } from '../../../src/identity/bundle.ts';
import { IdentityError } from '../../../src/identity/errors.ts';
import { makeLeaf, makeRoot, trustDomain } from '../crypto/support/fixtures.ts';

const root = makeRoot().certificate;
const bundle = createTrustBundle(trustDomain, [root, makeRoot({ name: 'next' }).certificate]);

function expectInvalid(action: () => unknown): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(IdentityError);
  expect(thrown).toMatchObject({ code: 'ERR_BUNDLE_INVALID' });
  expect((thrown as IdentityError).cause).toBeInstanceOf(CryptoError);
}

describe('a trust bundle', () => {
  test('survives its PEM form', () => {
    const back = trustBundleFromPem(trustBundleToPem(bundle), trustDomain);
    expect(back.trustDomain).toBe(trustDomain);
    expect(back.anchors.map(({ der }) => der)).toEqual(bundle.anchors.map(({ der }) => der));
  });

  test('takes no anchor that is classical, of another trust domain, or no CA; and none is too few', () => {
    const classical = makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: null }).certificate;
    expectInvalid(() => createTrustBundle(trustDomain, [root, classical]));
    expectInvalid(() => createTrustBundle('other.example', [root]));
    expectInvalid(() => createTrustBundle(trustDomain, [makeLeaf(makeRoot()).certificate]));
    expectInvalid(() => createTrustBundle(trustDomain, []));
    expectInvalid(() => trustBundleFromPem('', trustDomain));
    expectInvalid(() => trustBundleFromPem(trustBundleToPem(bundle), 'other.example'));
  });
});
