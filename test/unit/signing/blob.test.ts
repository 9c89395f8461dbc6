import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../../src/crypto/keys.ts';
import { digestOf } from '../../../src/registry/digest.ts';
import { maxBlobBundleBytes, signBlob, verifyBlob } from '../../../src/signing/blob.ts';
import { blobPredicateType } from '../../../src/signing/format/blob-statement.ts';
import { encodeStatement, signPredicateType } from '../../../src/signing/format/statement.ts';
import type { PublicKey } from '../../../src/signing/keys/public-key.ts';
import { localSigner } from '../../../src/signing/keys/signer.ts';
import { keyParty, type SigningParty } from '../../../src/signing/sign/party.ts';
import { failure } from './support.ts';

const digest = digestOf(Buffer.from('the file'));
const now = new Date('2026-11-21T12:00:00Z');
const signedAt = now.toISOString();
const [mldsa, ecdsa, other] = (['ML-DSA-65', 'ECDSA-P256', 'ECDSA-P256'] as const).map((algorithm) =>
  keyParty(localSigner(generateSigningKey(algorithm))),
) as [SigningParty, SigningParty, SigningParty];
const keys = [mldsa.publicKey, ecdsa.publicKey];

async function sign(parties: readonly SigningParty[] = [mldsa, ecdsa], of = digest): Promise<Buffer[]> {
  return (await signBlob({ digest: of, parties, now, randomBytes })).map(({ bundle }) => bundle);
}

type Statement = Record<string, unknown> & { predicate: Record<string, unknown> };

/** What both would sign, changed before they do. */
async function signChanged(change: (statement: Statement) => void): Promise<Buffer[]> {
  const [bundle = Buffer.alloc(0)] = await sign();
  const { payload } = JSON.parse(bundle.toString()).dsseEnvelope;
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString());
  change(statement);
  const changed = Buffer.from(JSON.stringify(statement));
  return await Promise.all([mldsa, ecdsa].map((party) => party.bundle(changed)));
}

function expectRefused(bundles: readonly Buffer[], reason: RegExp, given: readonly PublicKey[] = keys): void {
  const verdict = verifyBlob({ digest, keys: given, bundles });
  expect(verdict).toMatchObject({ ok: false, signedAt: undefined });
  expect(verdict.reasons.join('\n')).toMatch(reason);
}

describe('a file is verified', () => {
  test('when all keys signed it together, whatever the order', async () => {
    const bundles = await sign();
    const good = { ok: true, reasons: [], signedAt };
    expect(verifyBlob({ digest, keys, bundles })).toEqual(good);
    expect(verifyBlob({ digest, keys: keys.toReversed(), bundles: bundles.toReversed() })).toEqual(good);
  });

  test('beside bundles that are no good', async () => {
    const bundles = [Buffer.from('junk'), ...(await sign()), ...(await sign([other]))];
    expect(verifyBlob({ digest, keys, bundles }).ok).toBe(true);
  });

  test('beside another complete signing', async () => {
    expect(verifyBlob({ digest, keys, bundles: [...(await sign()), ...(await sign())] }).ok).toBe(true);
  });

  test('by one key, when one is what is asked for', async () => {
    const keysOfOne = [ecdsa.publicKey];
    expect(verifyBlob({ digest, keys: keysOfOne, bundles: await sign([ecdsa]) }).ok).toBe(true);
  });
});

describe('a file is not verified', () => {
  test('without one of the signatures', async () => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = await sign();
    expectRefused([first], /no signature by the ECDSA-P256 key/);
    expectRefused([second], /no signature by the ML-DSA-65 key/);
    expectRefused([first, first], /no signature by the ECDSA-P256 key/);
    expectRefused([], /no signature by the ML-DSA-65 key .*\n.*no signature by the ECDSA-P256 key/);
  });

  test('by halves of two signings', async () => {
    const [first = Buffer.alloc(0)] = await sign();
    const [, second = Buffer.alloc(0)] = await sign();
    expectRefused([first, second], /of different signings/);
  });

  test('by some of those who signed it, or by more', async () => {
    expectRefused(await sign(), /by other keys together than those given/, [ecdsa.publicKey]);
    expectRefused(await sign([ecdsa]), /by other keys together than those given/);
    expectRefused(await sign([mldsa, other]), /by other keys together than those given/);
  });

  test('when the signature is of another key than the statement names', async () => {
    const [first = Buffer.alloc(0)] = await sign();
    const { payload } = JSON.parse(first.toString()).dsseEnvelope;
    const forged = await other.bundle(Buffer.from(payload, 'base64'));
    expectRefused([first, forged], /not signed by any of the keys/);
  });

  test('when it is another file', async () => {
    expectRefused(await sign(undefined, digestOf(Buffer.from('another file'))), /about another file/);
    expectRefused(await sign(undefined, digestOf(Buffer.from('the file'), 'sha512')), /about another file/);
  });

  test('when its bytes were signed as an image: neither stands for the other', async () => {
    const binding = {
      v: 1,
      id: '0'.repeat(32),
      reference: 'registry.example/app',
      signedAt: now,
      signers: keys.map(({ algorithm, spkiSha256 }) => ({ algorithm, spkiSha256 })),
    } as const;
    const payload = encodeStatement({ subject: digest, predicateType: signPredicateType, binding });
    expectRefused(
      await Promise.all([mldsa, ecdsa].map((party) => party.bundle(payload))),
      /predicateType is .*cosign\/sign/,
    );
    expect(blobPredicateType).not.toBe(signPredicateType);
  });

  test.each<readonly [string, (statement: Statement) => void, RegExp]>([
    ['of another version', ({ predicate }) => Object.assign(predicate, { v: 2 }), /its version is 2/],
    ['that names nobody', ({ predicate }) => Object.assign(predicate, { signers: [] }), /signers is empty/],
    ['with two subjects', (each) => (each['subject'] as unknown[]).push({}), /exactly one subject/],
  ])('by a statement %s', async (_, change, reason) => {
    expectRefused(await signChanged(change), reason);
  });

  test('by what is no bundle, or too large for one', async () => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = await sign();
    expectRefused([Buffer.from('{}'), second], /bundle 1: the bundle is refused: its media type/);
    const padded = Buffer.concat([first, Buffer.alloc(maxBlobBundleBytes, ' ')]);
    expectRefused([padded, second], /bundle 1: .*bytes/);
  });

  test('by no keys', async () => {
    expectRefused(await sign(), /no key was given/, []);
  });
});

test('a signer that signs wrongly is noticed', async () => {
  const wrong: SigningParty = { publicKey: ecdsa.publicKey, bundle: (payload) => other.bundle(payload) };
  const signing = signBlob({ digest, parties: [mldsa, wrong], now, randomBytes });
  await failure('ERR_SIGNATURE_INVALID', signing, /what was signed does not verify/);
});
