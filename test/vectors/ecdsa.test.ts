// FIPS 186-5 ECDSA verification against Wycheproof's vectors: one DER form of a signature, ranges, special points.

import { expect, test } from 'vitest';
import { verifyBytes } from '../../src/crypto/keys.ts';
import { parseSpki } from '../../src/crypto/spki.ts';
import { fetchTimeoutMs, hex, Tally, wycheproof } from './support.ts';

test.each([
  ['ECDSA-P256', 'ecdsa_secp256r1_sha256', { valid: 170, invalid: 304 }],
  ['ECDSA-P384', 'ecdsa_secp384r1_sha384', { valid: 190, invalid: 304 }],
] as const)(
  '%s',
  async (algorithm, name, counts) => {
    const tally = new Tally();
    for (const { publicKeyDer, tests } of await wycheproof(name)) {
      const key = parseSpki(hex(publicKeyDer));
      expect(key.algorithm).toBe(algorithm);
      for (const { tcId, msg, sig, result } of tests) {
        expect(verifyBytes(key.publicKey, hex(msg), hex(sig)), `test ${tcId}`).toBe(result === 'valid');
        tally.add(result);
      }
    }
    tally.expect(counts);
  },
  fetchTimeoutMs,
);
