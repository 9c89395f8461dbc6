import { createPrivateKey, type createPublicKey } from 'node:crypto';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { describe, expect, test, vi } from 'vitest';
import { probeCryptoSupport, requirePostQuantumCrypto } from '../../../src/cli/crypto-support.ts';

vi.mock('node:crypto', { spy: true });
const crypto = vi.mocked(await import('node:crypto'));

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);

describe('probeCryptoSupport', () => {
  test('finds both on the Node we develop with', () => {
    expect(probeCryptoSupport()).toEqual({ mlKem: true, mlDsa: true });
  });

  test('the known answers are those of an independent implementation', () => {
    probeCryptoSupport();
    const made = crypto.createPublicKey.mock.results.map(({ value }) =>
      (value as ReturnType<typeof createPublicKey>).export({ format: 'der', type: 'spki' }),
    );
    const expected = [ml_kem768.keygen(counting(64)).publicKey, ml_dsa65.keygen(counting(32)).publicKey];
    for (const key of expected) {
      expect(made.some((spki) => spki.subarray(-key.length).equals(key))).toBe(true);
    }
  });

  test('a Node that refuses the algorithm lacks it', () => {
    crypto.createPrivateKey.mockImplementation(() => {
      throw new Error('unsupported');
    });
    expect(probeCryptoSupport()).toEqual({ mlKem: false, mlDsa: false });
    crypto.createPrivateKey.mockRestore();
  });

  test('a verification that accepts everything is no support', () => {
    crypto.verify.mockReturnValue(true as never);
    expect(probeCryptoSupport().mlDsa).toBe(false);
    crypto.verify.mockRestore();
  });

  test('an answer that differs is no support', () => {
    const other = createPrivateKey({
      key: Buffer.concat([
        Buffer.from('3034020100300b060960864801650304031204228020', 'hex'),
        Buffer.alloc(32, 7),
      ]),
      format: 'der',
      type: 'pkcs8',
    });
    crypto.createPrivateKey.mockReturnValue(other);
    expect(probeCryptoSupport()).toEqual({ mlKem: false, mlDsa: false });
    crypto.createPrivateKey.mockRestore();
  });

  test('two sides with different secrets are no support', () => {
    crypto.decapsulate.mockReturnValue(Buffer.alloc(32) as never);
    expect(probeCryptoSupport().mlKem).toBe(false);
    crypto.decapsulate.mockRestore();
  });
});

describe('requirePostQuantumCrypto', () => {
  test('is content where both are there', () => {
    expect(() => requirePostQuantumCrypto()).not.toThrow();
  });

  test('names what is missing, this Node, and what to use instead', () => {
    expect(() => requirePostQuantumCrypto({ mlKem: true, mlDsa: false })).toThrow(
      expect.objectContaining({
        code: 'ERR_NODE_LACKS_ML_DSA',
        message: expect.stringMatching(new RegExp(`${process.version}.*cannot do ML-DSA$`)),
        hint: expect.stringContaining('24.15'),
      }),
    );
  });
});
