import { describe, expect, test } from 'vitest';
import {
  type BlobStatement,
  blobPredicateType,
  encodeBlobStatement,
  parseBlobStatement,
} from '../../../../src/signing/format/blob-statement.ts';
import { encodeStatement, signPredicateType } from '../../../../src/signing/format/statement.ts';
import { failure } from '../support.ts';
import { attestation, changed, hex, type Loose, signature } from './support.ts';

const statement: BlobStatement = {
  v: 1,
  subject: `sha256:${hex}`,
  id: '0123456789abcdef0123456789abcdef',
  signedAt: new Date('2026-11-21T12:00:00.000Z'),
  // The order of the algorithms is not that of the keys.
  signers: [
    { algorithm: 'ECDSA-P256', spkiSha256: 'e'.repeat(64) },
    { algorithm: 'ML-DSA-65', spkiSha256: 'd'.repeat(64) },
  ],
};
const json: Loose = JSON.parse(encodeBlobStatement(statement).toString());

describe('a statement about a file', () => {
  test('is read back as it was, whatever the digest', () => {
    expect(parseBlobStatement(encodeBlobStatement(statement))).toEqual(statement);
    const long = { ...statement, subject: `sha512:${hex}${hex}` } as const;
    expect(parseBlobStatement(encodeBlobStatement(long))).toEqual(long);
  });

  test('is written byte by byte as it always was: what was signed has to verify', () => {
    const signers = statement.signers.toReversed();
    expect(encodeBlobStatement({ ...statement, signers }).toString()).toBe(
      [
        `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${hex}"}}],`,
        '"predicateType":"https://security.quantum.io/blob-signature/v1","predicate":{"v":1,',
        '"id":"0123456789abcdef0123456789abcdef","signedAt":"2026-11-21T12:00:00.000Z","signers":[',
        `{"algorithm":"ECDSA-P256","spkiSha256":"${'e'.repeat(64)}"},`,
        `{"algorithm":"ML-DSA-65","spkiSha256":"${'d'.repeat(64)}"}]}}`,
      ].join(''),
    );
  });

  test('has a type that no image has', () => {
    expect(blobPredicateType).not.toBe(signPredicateType);
  });

  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['version 2', (copy) => Object.assign(copy.predicate, { v: 2 }), /its version is 2/],
    ['a member more', (copy) => Object.assign(copy.predicate, { only: 'x' }), /unknown member "only"/],
    ['a member more outside', (copy) => Object.assign(copy, { more: 1 }), /unknown member "more"/],
    ['no id', (copy) => delete copy.predicate.id, /no member "id"/],
    ['any text as id', (copy) => Object.assign(copy.predicate, { id: 'x' }), /id is not 32/],
    [
      'a time that acts on a terminal',
      (copy) => Object.assign(copy.predicate, { signedAt: '\u001b[2J' }),
      /signedAt is not a UTC time/,
    ],
    [
      'a day that there is not',
      (copy) => Object.assign(copy.predicate, { signedAt: '2026-02-30T12:00:00.000Z' }),
      /signedAt is not a UTC time/,
    ],
    ['nobody', (copy) => Object.assign(copy.predicate, { signers: [] }), /signers is empty/],
    ['signers by key', (copy) => copy.predicate.signers.reverse(), /not sorted by algorithm and key/],
    [
      'a signer twice',
      (copy) => copy.predicate.signers.push(copy.predicate.signers[1]),
      /one is there twice/,
    ],
    [
      'an old type of statement',
      (copy) => Object.assign(copy, { _type: 'https://in-toto.io/Statement/v0.1' }),
      /_type is/,
    ],
    ['two subjects', (copy) => copy.subject.push(copy.subject[0]), /not exactly one subject/],
    ['two digests', (copy) => Object.assign(copy.subject[0].digest, { sha512: hex + hex }), /one digest/],
    ['a name', (copy) => Object.assign(copy.subject[0], { name: 'app.tar' }), /unknown member "name"/],
    [
      'annotations, a binding to an image among them',
      (copy) => Object.assign(copy.subject[0], { annotations: { trellis: {} } }),
      /unknown member "annotations"/,
    ],
  ])('is refused with %s', async (_, change, reason) => {
    const bytes = changed(json, (copy) => void change(copy));
    await failure('ERR_STATEMENT_INVALID', () => parseBlobStatement(bytes), reason);
  });

  test('is none about an image, and the other way round', async () => {
    for (const input of [signature, attestation]) {
      const payload = encodeStatement(input);
      await failure('ERR_STATEMENT_INVALID', () => parseBlobStatement(payload), /predicateType is/);
    }
  });

  test('has a bounded size', async () => {
    const bytes = Buffer.concat([encodeBlobStatement(statement), Buffer.alloc(16 * 1024, ' ')]);
    await failure('ERR_BUNDLE_TOO_LARGE', () => parseBlobStatement(bytes), /bytes/);
  });

  test('is not written when it would not be read', async () => {
    const invalid: readonly (readonly [Partial<BlobStatement>, RegExp])[] = [
      [{ id: 'x' }, /id is not/],
      [{ signedAt: new Date(Number.NaN) }, /signedAt is not a time/],
      [{ signers: [] }, /signers is empty/],
    ];
    for (const [change, reason] of invalid) {
      await failure('ERR_STATEMENT_INVALID', () => encodeBlobStatement({ ...statement, ...change }), reason);
    }
  });
});
