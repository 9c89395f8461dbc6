import { expect, test, vi } from 'vitest';
import { pae, payloadType } from '../../../../src/signing/format/dsse.ts';
import { messageOf, SignatureChecks } from '../../../../src/signing/verify/signature-checks.ts';
import { payloadBy, testKey } from './support.ts';

const crypto = await vi.hoisted(async () => ({ verifyBytes: vi.fn() }));
vi.mock('../../../../src/crypto/keys.ts', async (load) => {
  const real = await load<typeof import('../../../../src/crypto/keys.ts')>();
  crypto.verifyBytes.mockImplementation(real.verifyBytes);
  return { ...real, verifyBytes: crypto.verifyBytes };
});

const ml = testKey('ML-DSA-65');
const ec = testKey('ECDSA-P256');
const payload = payloadBy([ml]);
const message = messageOf(payload);
const signature = ml.sign(pae(payloadType, payload));

test('the same key, payload and signature are verified once', () => {
  const checks = new SignatureChecks(10);
  crypto.verifyBytes.mockClear();
  for (let at = 0; at < 3; at += 1) {
    expect(checks.verify(ml.publicKey, message, Buffer.from(signature))).toBe(true);
    expect(checks.verify(ec.publicKey, messageOf(Buffer.from(payload)), signature)).toBe(false);
  }
  expect(crypto.verifyBytes).toHaveBeenCalledTimes(2);
  expect(checks.spent).toBe(2);
});

test('another key, payload or signature is another check', () => {
  const checks = new SignatureChecks(10);
  const other = payloadBy([ml]);
  expect(checks.verify(ml.publicKey, message, signature)).toBe(true);
  expect(checks.verify(ml.publicKey, messageOf(other), signature)).toBe(false);
  expect(checks.verify(ml.publicKey, message, ml.sign(pae(payloadType, other)))).toBe(false);
  expect(checks.verify(ml.publicKey, message, ml.sign(message.bytes))).toBe(true);
  expect(checks.spent).toBe(4);
});

test('no more than the limit are verified, and what is known stays known', () => {
  const checks = new SignatureChecks(2);
  expect(checks.verify(ml.publicKey, message, signature)).toBe(true);
  expect(checks.spendOnCertificate()).toBe(true);
  expect(checks.verify(ec.publicKey, message, signature)).toBeUndefined();
  expect(checks.spendOnCertificate()).toBe(false);
  expect(checks.verify(ml.publicKey, message, signature)).toBe(true);
  expect(checks.spent).toBe(2);
});

test('what is signed is the pre-authentication encoding of the payload', () => {
  expect(message.bytes).toEqual(pae(payloadType, payload));
  expect(new SignatureChecks(1).verify(ml.publicKey, message, ml.sign(payload))).toBe(false);
});
