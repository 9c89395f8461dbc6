import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { signingAlgorithm } from '../../../src/cli/signing-algorithm.ts';

test.each(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'])('%s is an algorithm', (name) => {
  expect(signingAlgorithm(name)).toBe(name);
});

describe('what people write instead', () => {
  test.each([
    ['Dilithium3', 'ML-DSA-65'],
    ['dilithium', 'ML-DSA-65'],
    ['CRYSTALS-Dilithium', 'ML-DSA-65'],
    ['Dilithium2', 'ML-DSA-65'],
    ['dilithium-5', 'ML-DSA-87'],
    ['ML-DSA-44', 'ML-DSA-65'],
    ['ML-DSA', 'ML-DSA-65'],
    ['ml-dsa-65', 'ML-DSA-65'],
    ['MLDSA87', 'ML-DSA-87'],
    ['HashML-DSA-65', 'ML-DSA-65'],
    ['Falcon', 'ML-DSA-65'],
    ['FN-DSA-512', 'ML-DSA-65'],
    ['SLH-DSA-SHA2-128s', 'ML-DSA-65'],
    ['SPHINCS+', 'ML-DSA-65'],
    ['RSA', 'ECDSA-P256'],
    ['rsa-4096', 'ECDSA-P256'],
    ['RS256', 'ECDSA-P256'],
    ['Ed25519', 'ECDSA-P256'],
    ['EdDSA', 'ECDSA-P256'],
    ['ECDSA', 'ECDSA-P256'],
    ['P-256', 'ECDSA-P256'],
    ['prime256v1', 'ECDSA-P256'],
    ['secp384r1', 'ECDSA-P384'],
    ['ES384', 'ECDSA-P384'],
    ['P-521', 'ECDSA-P384'],
    ['ecdsa-p256', 'ECDSA-P256'],
    ['ECDSA-P265', 'ECDSA-P256'],
  ])('%s is refused, and %s suggested', (text, suggestion) => {
    const refused = expect(() => signingAlgorithm(text));
    refused.toThrow(InvalidArgumentError);
    refused.toThrow(new RegExp(`(use|write) ${suggestion}[.:]`));
  });

  test.each(['', 'x', 'toString', 'x'.repeat(10_000)])('%j is refused with the whole list', (text) => {
    expect(() => signingAlgorithm(text)).toThrow(
      'choose among ML-DSA-65, ML-DSA-87, ECDSA-P256, ECDSA-P384.',
    );
  });
});
