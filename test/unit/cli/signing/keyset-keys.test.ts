import { expect, test } from 'vitest';
import { refuseKeysOfNoKeyset } from '../../../../src/cli/signing/keyset-keys.ts';
import type { SignatureAlgorithm } from '../../../../src/crypto/algorithms.ts';

const refuse = (...algorithms: readonly SignatureAlgorithm[]) =>
  refuseKeysOfNoKeyset(algorithms.map((algorithm) => ({ algorithm })));

test('keys that a keyset can have sign together', () => {
  expect(() => refuse()).not.toThrow();
  expect(() => refuse('ECDSA-P256', 'ML-DSA-65')).not.toThrow();
  expect(() => refuse('ECDSA-P256', 'ECDSA-P384', 'ML-DSA-44', 'ML-DSA-65')).not.toThrow();
});

test('others are refused before they sign', () => {
  const code = 'ERR_USAGE';
  expect(() => refuse('ECDSA-P256', 'ML-DSA-65', 'ECDSA-P256')).toThrow(
    expect.objectContaining({
      code,
      message: expect.stringMatching(/^two of these keys are of ECDSA-P256: /),
    }),
  );
  expect(() => refuse('ECDSA-P256', 'ECDSA-P384', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(/^these are 5 keys: .* 4 at most/) }),
  );
});
