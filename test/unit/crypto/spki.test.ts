import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signatureAlgorithms } from '../../../src/crypto/algorithms.ts';
import { bitString, oid, sequence, tlv } from '../../../src/crypto/der/write.ts';
import { generateSigningKey, spkiDer } from '../../../src/crypto/keys.ts';
import { encodeSpki, parseSpki } from '../../../src/crypto/spki.ts';
import { expectCode } from './support/fixtures.ts';

const mlDsa = spkiDer(generateSigningKey('ML-DSA-65'));
const ecdsa = spkiDer(generateSigningKey('ECDSA-P256'));
const mlDsaOid = oid(signatureAlgorithms['ML-DSA-65'].oid);
const derNull = tlv(0x05);

describe('parseSpki', () => {
  test('reads the keys of the table', () => {
    expect(parseSpki(mlDsa).algorithm).toBe('ML-DSA-65');
    expect(parseSpki(ecdsa).algorithm).toBe('ECDSA-P256');
  });

  test('refuses ML-DSA with parameters (RFC 9881 §2)', () => {
    const { keyBits } = parseSpki(mlDsa);
    expectCode('ERR_KEY_INVALID', () => parseSpki(sequence(sequence(mlDsaOid, derNull), bitString(keyBits))));
  });

  test('refuses a key of a wrong length, and bytes after it', () => {
    const { keyBits } = parseSpki(mlDsa);
    expectCode('ERR_KEY_INVALID', () => parseSpki(encodeSpki('ML-DSA-65', keyBits.subarray(1))));
    expectCode('ERR_KEY_INVALID', () => parseSpki(encodeSpki('ML-DSA-87', keyBits)));
    expectCode('ERR_KEY_INVALID', () => parseSpki(Buffer.concat([mlDsa, Buffer.of(0)])));
    expectCode('ERR_KEY_INVALID', () => parseSpki(Buffer.alloc(5000)), 'longer than');
  });

  test('refuses a compressed point and one that is not on the curve', () => {
    const { keyBits } = parseSpki(ecdsa);
    const compressed = Buffer.concat([Buffer.of(0x02), keyBits.subarray(1, 33)]);
    const offCurve = Buffer.from(keyBits);
    offCurve[64] = (offCurve[64] ?? 0) ^ 1;
    const hybridForm = Buffer.from(keyBits);
    hybridForm[0] = 0x06 + ((keyBits[64] ?? 0) & 1);
    for (const bad of [compressed, offCurve, hybridForm]) {
      expectCode('ERR_KEY_INVALID', () => parseSpki(encodeSpki('ECDSA-P256', bad)));
    }
  });

  test('names an algorithm it does not have', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
      format: 'der',
      type: 'spki',
    });
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({
      format: 'der',
      type: 'spki',
    });
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    expect(expectCode('ERR_ALGORITHM_UNKNOWN', () => parseSpki(p521)).message).toContain('1.3.132.0.35');
    expectCode('ERR_ALGORITHM_UNKNOWN', () => parseSpki(ed25519));
    // RSA's NULL parameter is already outside the profile.
    expectCode('ERR_KEY_INVALID', () => parseSpki(rsa));
  });
});
