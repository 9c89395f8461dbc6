// Time-stamps of bundles that were signed with keys, ML-DSA's among them, and those of keyless ones.

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../../../src/crypto/keys.ts';
import { encodeKeyBundle, parseBundle } from '../../../../src/signing/format/bundle.ts';
import { pae, payloadType } from '../../../../src/signing/format/dsse.ts';
import { parseTrustedRoot } from '../../../../src/signing/keyless/trusted-root.ts';
import { keyHint } from '../../../../src/signing/keys/public-key.ts';
import { localSigner } from '../../../../src/signing/keys/signer.ts';
import { requestTimestamp } from '../../../../src/signing/timestamp/request.ts';
import { verifyTimestamps } from '../../../../src/signing/timestamp/verify.ts';
import { sha256, timestampAuthority } from '../../../support/sigstore/forge.ts';
import { startSigstore, type TestSigstore, type TrustedRootJson } from '../../../support/sigstore.ts';

const payload = Buffer.from('{}');
const minute = 60_000;

let sigstore: TestSigstore;
beforeAll(async () => {
  sigstore = await startSigstore();
});

async function signed(
  algorithm: 'ECDSA-P256' | 'ML-DSA-65',
  stamp: (signature: Buffer) => Promise<readonly Buffer[]>,
) {
  const signer = localSigner(generateSigningKey(algorithm));
  const signature = await signer.sign(pae(payloadType, payload));
  const timestamps = await stamp(signature);
  return parseBundle(encodeKeyBundle({ payload, signature, hint: keyHint(signer.publicKey), timestamps }));
}

const ask = async (signature: Buffer) => [
  await requestTimestamp(signature, { tsaUrl: sigstore.tsaUrl, random: randomBytes }),
];

function trust(change?: (root: TrustedRootJson) => void) {
  return parseTrustedRoot(sigstore.trustedRoot(change));
}

function trusting(chain: readonly Buffer[]) {
  return trust((root) => {
    for (const authority of root.timestampAuthorities)
      authority.certChain = { certificates: chain.map((der) => ({ rawBytes: der.toString('base64') })) };
  });
}

describe('time-stamps', () => {
  test.each(['ECDSA-P256', 'ML-DSA-65'] as const)(
    'of an %s signature tell when it existed',
    async (algorithm) => {
      const before = Math.floor(Date.now() / 1000) * 1000;
      const verdict = verifyTimestamps(await signed(algorithm, ask), trust(), new Date());
      expect(verdict.ok).toBe(true);
      if (verdict.ok) expect(verdict.times.map((time) => time.getTime() >= before)).toEqual([true]);
    },
  );

  test('whose seconds have one or two decimals are read, to the millisecond', async () => {
    for (const milliseconds of [500, 120, 123]) {
      const time = new Date(Math.ceil(Date.now() / 1000) * 1000 + milliseconds);
      const authority = await timestampAuthority(time);
      const bundle = await signed('ML-DSA-65', async (signature) => [
        await authority.timestamp(sha256(signature)),
      ]);
      const verdict = verifyTimestamps(bundle, trusting(authority.chain), new Date());
      expect(verdict).toEqual({ ok: true, times: [time] });
    }
  });

  test('do not say whether the signature is valid', async () => {
    const bundle = await signed('ECDSA-P256', ask);
    expect(verifyTimestamps({ ...bundle, payload: Buffer.from('other') }, trust(), new Date()).ok).toBe(true);
  });
});

describe('are refused', () => {
  test('when there are none', async () => {
    const verdict = verifyTimestamps(await signed('ECDSA-P256', async () => []), trust(), new Date());
    expect(verdict).toEqual({ ok: false, reason: 'it has no time-stamp' });
  });

  test('where the trusted root knows no authority', async () => {
    const root = trust((json) => {
      json.timestampAuthorities = [];
    });
    const verdict = verifyTimestamps(await signed('ECDSA-P256', ask), root, new Date());
    expect(verdict).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/names no time-stamp authority/),
    });
  });

  test.each([
    ['over another signature', async () => ask(Buffer.from('other'))],
    [
      'of an unknown authority',
      async (signature: Buffer) => [await (await timestampAuthority()).timestamp(sha256(signature))],
    ],
    ['that are not readable', async () => [Buffer.from('hello')]],
    [
      'twice the same',
      async (signature: Buffer) => {
        const [token = Buffer.alloc(0)] = await ask(signature);
        return [token, token];
      },
    ],
    [
      'one of which is wrong',
      async (signature: Buffer) => [...(await ask(signature)), ...(await ask(Buffer.from('other')))],
    ],
  ])('%s', async (_name, stamp) => {
    const verdict = verifyTimestamps(await signed('ECDSA-P256', stamp), trust(), new Date());
    expect(verdict).toMatchObject({ ok: false, reason: expect.stringMatching(/cannot be verified/) });
  });

  test('whose signature was changed', async () => {
    const bundle = await signed('ECDSA-P256', async (signature) => {
      const [token = Buffer.alloc(0)] = await ask(signature);
      token[token.length - 1] = (token.at(-1) ?? 0) ^ 1;
      return [token];
    });
    expect(verifyTimestamps(bundle, trust(), new Date())).toMatchObject({ ok: false });
  });

  test('from the future', async () => {
    const authority = await timestampAuthority(new Date(Date.now() + 6 * minute));
    const bundle = await signed('ECDSA-P256', async (signature) => [
      await authority.timestamp(sha256(signature)),
    ]);
    const root = trusting(authority.chain);
    expect(verifyTimestamps(bundle, root, new Date())).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/in the future/),
    });
    expect(verifyTimestamps(bundle, root, new Date(Date.now() + 2 * minute))).toMatchObject({ ok: true });
  });
});
