import { describe, expect, test } from 'vitest';
import { generateSigningKey, spkiDer, verifyBytes } from '../../../../src/crypto/keys.ts';
import { localSigner } from '../../../../src/signing/keys/signer.ts';
import { failure } from '../support.ts';

const data = Buffer.from('the whole message');

describe.each(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const)('%s', (algorithm) => {
  const key = generateSigningKey(algorithm);

  test('signs', async () => {
    const signer = localSigner(key);
    expect(signer.publicKey).toMatchObject({ algorithm, spki: spkiDer(key) });
    const signature = await signer.sign(data);
    expect(verifyBytes(signer.publicKey.key, data, signature)).toBe(true);
  });

  test('gives no signature that its own public key does not verify', async () => {
    const faulty = { ...key, privateKey: generateSigningKey(algorithm).privateKey };
    await failure('ERR_SIGNATURE_INVALID', localSigner(faulty).sign(data), /does not verify/);
  });
});

test('does not sign when the caller has given up', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(localSigner(generateSigningKey('ML-DSA-65')).sign(data, signal)).rejects.toThrow('enough');
});
