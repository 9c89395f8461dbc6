// Statements, envelopes, bundles and referrers: read in one way or refused with an error of ours, whatever the bytes; and
// what is written is what is read.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signatureAlgorithms } from '../../src/crypto/algorithms.ts';
import { type Digest, digestOf } from '../../src/registry/digest.ts';
import { parseManifest } from '../../src/registry/manifest.ts';
import { ociManifest } from '../../src/registry/media-types.ts';
import { decodeBase64, encodeBase64 } from '../../src/signing/base64.ts';
import { SigningError } from '../../src/signing/errors.ts';
import { encodeKeyBundle, parseBundle } from '../../src/signing/format/bundle.ts';
import { encodeEnvelope, pae, parseEnvelope } from '../../src/signing/format/dsse.ts';
import { readReferrer, referrerManifest } from '../../src/signing/format/referrer.ts';
import {
  type Binding,
  encodeStatement,
  parseStatement,
  type SignerName,
  type StatementInput,
  signPredicateType,
} from '../../src/signing/format/statement.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedBytes, mutatedValue } from './support/mutations.ts';

function hex(length: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
}

const signer: fc.Arbitrary<SignerName> = fc.record({
  algorithm: fc.constantFrom(...(Object.keys(signatureAlgorithms) as SignerName['algorithm'][])),
  spkiSha256: hex(64),
});

const binding: fc.Arbitrary<Binding> = fc.record({
  v: fc.constant(1 as const),
  id: hex(32),
  reference: fc.constantFrom('registry.example/app', 'localhost:5000/a/b', 'docker.io/library/nginx'),
  signedAt: fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  signers: fc.uniqueArray(signer, { minLength: 1, maxLength: 8, selector: ({ spkiSha256 }) => spkiSha256 }),
});

const digest: fc.Arbitrary<Digest> = fc.oneof(
  hex(64).map((digits): Digest => `sha256:${digits}`),
  hex(128).map((digits): Digest => `sha512:${digits}`),
);

const name = fc.string().filter((text) => text !== 'trellis' && text !== '__proto__' && text.isWellFormed());
const annotations = fc.dictionary(
  name,
  fc.string().filter((text) => text.isWellFormed()),
  { maxKeys: 4 },
);

/** What JSON can say and come back as it was. */
const predicate = fc
  .dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  .filter((value) => !/__proto__|\\ud[89a-f]/.test(JSON.stringify(value)));

const input: fc.Arbitrary<StatementInput> = fc.oneof(
  fc.record({ subject: digest, predicateType: fc.constant(signPredicateType), annotations, binding }),
  fc.record({
    subject: digest,
    predicateType: fc.constantFrom('https://slsa.dev/provenance/v1', 'x'),
    predicate,
    annotations,
    binding,
  }),
);

const statementBytes = input.map((each) => encodeStatement(each));
const bundleBytes = fc
  .record({
    payload: statementBytes,
    signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    hint: fc.string().filter((text) => text.isWellFormed()),
    timestamps: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 2 }),
  })
  .map((each) => encodeKeyBundle(each));

const names = [
  'trellis',
  'mediaType',
  'subject',
  'digest',
  'sha256',
  'annotations',
  'tlogEntries',
  'certificate',
];
const values = [null, '', 1, [], {}, 'https://in-toto.io/Statement/v0.1', { trellis: null }, { hint: '' }];

/** Another document made of the same one. */
function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const json = valid.map((bytes): unknown => JSON.parse(Buffer.from(bytes).toString()));
  return fc.oneof(
    mutatedBytes(valid),
    mutatedValue(json, names, values).map((value) => Buffer.from(JSON.stringify(value) ?? '')),
    fc.uint8Array({ maxLength: 100 }),
    fc.json().map((text) => Buffer.from(text)),
  );
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(SigningError);
    return undefined;
  }
}

describe('base64', () => {
  test('has one text for some bytes, and bytes for no other text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        const bytes = attempt(() => decodeBase64(text, 'it'));
        if (bytes !== undefined) expect(encodeBase64(bytes)).toBe(text);
      }),
      { numRuns: fuzzRuns(500) },
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase64(encodeBase64(bytes), 'it')).toEqual(Buffer.from(bytes));
      }),
      { numRuns: fuzzRuns(100) },
    );
  });
});

describe('statements', () => {
  test('are read as they were written, and written again to the same bytes', () => {
    fc.assert(
      fc.property(input, (statement) => {
        const bytes = encodeStatement(statement);
        const read = parseStatement(bytes);
        expect(read.subject).toBe(statement.subject);
        expect(read.predicateType).toBe(statement.predicateType);
        expect({ ...read.annotations }).toEqual({ ...statement.annotations });
        expect(read.binding?.signers).toHaveLength(statement.binding.signers.length);
        expect(new Set(read.binding?.signers)).toEqual(new Set(statement.binding.signers));
        expect({ ...read.binding, signers: [] }).toEqual({ ...statement.binding, signers: [] });
        if (statement.predicate !== undefined) expect(read.predicate).toEqual(statement.predicate);
        if (read.binding === undefined) throw new Error('it was bound');
        expect(encodeStatement({ ...statement, binding: read.binding })).toEqual(bytes);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('are refused with an error of ours, or have one subject and a good binding or none', () => {
    fc.assert(
      fc.property(mutated(statementBytes), (bytes) => {
        const read = attempt(() => parseStatement(bytes));
        if (read === undefined) return;
        expect(read.subject).toMatch(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/);
        const says = JSON.parse(Buffer.from(bytes).toString());
        const place = says.predicateType === signPredicateType ? says.predicate : says.subject[0].annotations;
        expect(read.binding === undefined).toBe(!Object.hasOwn(place ?? {}, 'trellis'));
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });
});

describe('envelopes', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ minLength: 1 }), (payload, signature) => {
        expect(parseEnvelope(JSON.parse(JSON.stringify(encodeEnvelope({ payload, signature }))))).toEqual({
          payload: Buffer.from(payload),
          signature: Buffer.from(signature),
        });
      }),
      { numRuns: fuzzRuns(100) },
    );
  });

  test('of two types or payloads never have the same signed bytes', () => {
    const part = fc.record({
      type: fc.string({ unit: fc.constantFrom('a', ' ', '1', '3') }),
      payload: fc.uint8Array(),
    });
    fc.assert(
      fc.property(part, part, (a, b) => {
        const same = a.type === b.type && Buffer.from(a.payload).equals(b.payload);
        expect(pae(a.type, a.payload).equals(pae(b.type, b.payload))).toBe(same);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

describe('bundles', () => {
  test('are read as they were written, and written again to the same bytes', () => {
    fc.assert(
      fc.property(bundleBytes, (bytes) => {
        const { payload, signature, material, timestamps } = parseBundle(bytes);
        if (material.kind !== 'key') throw new Error('it has a key');
        expect(encodeKeyBundle({ payload, signature, hint: material.hint, timestamps })).toEqual(bytes);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('are refused with an error of ours, or have one payload and one signature', () => {
    fc.assert(
      fc.property(mutated(bundleBytes), (bytes) => {
        const read = attempt(() => parseBundle(bytes));
        if (read === undefined) return;
        const { dsseEnvelope } = JSON.parse(Buffer.from(bytes).toString());
        expect(dsseEnvelope.signatures).toHaveLength(1);
        expect(read.payload.toString('base64')).toBe(dsseEnvelope.payload);
        expect(read.signature.toString('base64')).toBe(dsseEnvelope.signatures[0].sig);
        attempt(() => parseStatement(read.payload));
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });
});

describe('referrers', () => {
  const subject = { mediaType: ociManifest, digest: digestOf(Buffer.from('an image')), size: 1 };
  const manifestBytes = fc
    .record({
      bundle: fc.uint8Array({ maxLength: 100 }),
      predicateType: fc.string(),
      created: fc.date({ noInvalidDate: true }),
    })
    .map((each) => Buffer.from(referrerManifest({ subject, ...each }).manifest));

  test('lead to their bundle, or say why not', () => {
    fc.assert(
      fc.property(fc.oneof(manifestBytes, mutated(manifestBytes)), (bytes) => {
        let manifest: ReturnType<typeof parseManifest>;
        try {
          manifest = parseManifest(bytes, ociManifest);
        } catch {
          return; // The registry client's own business.
        }
        const fetched = {
          digest: digestOf(bytes),
          bytes: Buffer.from(bytes),
          mediaType: ociManifest,
          manifest,
        };
        const reading = readReferrer(fetched, subject.digest);
        const says = JSON.parse(Buffer.from(bytes).toString());
        if (reading.kind === 'bundle') {
          expect(says.subject.digest).toBe(subject.digest);
          expect(says.layers).toHaveLength(1);
        } else {
          expect(reading.reason).not.toBe('');
        }
      }),
      { numRuns: fuzzRuns(500) },
    );
    fc.assert(
      fc.property(manifestBytes, (bytes) => {
        const manifest = parseManifest(bytes, ociManifest);
        const fetched = { digest: digestOf(bytes), bytes, mediaType: ociManifest, manifest };
        expect(readReferrer(fetched, subject.digest).kind).toBe('bundle');
      }),
      { numRuns: fuzzRuns(50) },
    );
  });
});
