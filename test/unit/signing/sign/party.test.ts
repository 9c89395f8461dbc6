import { describe, expect, test } from 'vitest';
import { generateSigningKey, verifyBytes } from '../../../../src/crypto/keys.ts';
import { parseBundle } from '../../../../src/signing/format/bundle.ts';
import { pae, payloadType } from '../../../../src/signing/format/dsse.ts';
import { keyHint } from '../../../../src/signing/keys/public-key.ts';
import { localSigner, type Signer } from '../../../../src/signing/keys/signer.ts';
import { inWrittenOrder, keyParty } from '../../../../src/signing/sign/party.ts';
import { partyOf } from './support.ts';

const payload = Buffer.from('{"a":1}');

describe('a party with a key', () => {
  const signer = localSigner(generateSigningKey('ML-DSA-65'));

  test('signs the payload with its type, and says which key it has', async () => {
    const bundle = parseBundle(await keyParty(signer).bundle(payload));
    expect(bundle).toMatchObject({ payload, timestamps: [], material: { hint: keyHint(signer.publicKey) } });
    const signed = (message: Uint8Array) => verifyBytes(signer.publicKey.key, message, bundle.signature);
    expect([signed(pae(payloadType, payload)), signed(payload)]).toEqual([true, false]);
  });

  test('has its very signature time-stamped', async () => {
    const stamped: Uint8Array[] = [];
    const { signal } = new AbortController();
    const timestamp = async (signature: Uint8Array, given?: AbortSignal) => {
      expect(given).toBe(signal);
      stamped.push(signature);
      return Buffer.from('token');
    };
    const bundle = parseBundle(await keyParty(signer, timestamp).bundle(payload, signal));
    expect(bundle.timestamps).toEqual([Buffer.from('token')]);
    expect(stamped).toEqual([bundle.signature]);
  });

  test('makes no bundle without the time-stamp that was asked for', async () => {
    const away = () => Promise.reject(new Error('the authority is away'));
    await expect(keyParty(signer, away).bundle(payload)).rejects.toThrow('away');
  });

  test('hands the signal to what signs', async () => {
    const { signal } = new AbortController();
    let given: AbortSignal | undefined;
    const watched: Signer = {
      publicKey: signer.publicKey,
      sign: async (data, each) => {
        given = each;
        return await signer.sign(data);
      },
    };
    await keyParty(watched).bundle(payload, signal);
    expect(given).toBe(signal);
  });
});

test('classical first, and otherwise as given', () => {
  const parties = (['ML-DSA-87', 'ECDSA-P384', 'ML-DSA-65', 'ECDSA-P256'] as const).map(partyOf);
  const algorithms = inWrittenOrder(parties).map(({ publicKey }) => publicKey.algorithm);
  expect(algorithms).toEqual(['ECDSA-P384', 'ECDSA-P256', 'ML-DSA-87', 'ML-DSA-65']);
  expect(parties[0]?.publicKey.algorithm).toBe('ML-DSA-87');
});
