import { describe, expect, test } from 'vitest';
import {
  encodeStatement,
  maxStatementBytes,
  parseStatement,
} from '../../../../src/signing/format/statement.ts';
import { failure } from '../support.ts';
import { attestation, binding, changed, hex, type Loose, Replacement, signature } from './support.ts';

const signatureJson = (): Loose => JSON.parse(encodeStatement(signature).toString());
const attestationJson = (): Loose => JSON.parse(encodeStatement(attestation).toString());

describe('a statement', () => {
  test('of a signature is read back as it was', () => {
    const annotations = { build: '7', who: 'me', constructor: 'x' };
    const read = parseStatement(encodeStatement({ ...signature, annotations }));
    expect(read).toEqual({
      subject: signature.subject,
      predicateType: signature.predicateType,
      predicate: signatureJson().predicate,
      annotations,
      binding,
    });
  });

  test('of an attestation is read back as it was', () => {
    const read = parseStatement(encodeStatement({ ...attestation, annotations: { build: '7' } }));
    const { subject, predicateType, predicate } = attestation;
    expect(read).toEqual({ subject, predicateType, predicate, annotations: { build: '7' }, binding });
  });

  test('has its binding in the predicate of a signature, beside the digest in an attestation', () => {
    expect(signatureJson()).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: hex }, annotations: {} }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {
        trellis: {
          v: 1,
          id: binding.id,
          reference: binding.reference,
          signedAt: '2026-11-21T12:00:00.000Z',
          signers: binding.signers,
        },
      },
    });
    expect(attestationJson().predicate).toEqual(attestation.predicate);
    expect(attestationJson().subject[0].annotations.trellis).toEqual(signatureJson().predicate.trellis);
  });

  test('may have a member trellis in the predicate of an attestation, which is its own business', () => {
    const predicate = { trellis: 'anything' };
    expect(parseStatement(encodeStatement({ ...attestation, predicate }))).toMatchObject({
      predicate,
      binding,
    });
  });

  test('has a predicate type of at most 512 characters', () => {
    const predicateType = 'x'.repeat(512);
    expect(parseStatement(encodeStatement({ ...attestation, predicateType })).predicateType).toBe(
      predicateType,
    );
  });

  test('may be about a SHA-512 digest', () => {
    const subject = `sha512:${'b'.repeat(128)}` as const;
    expect(parseStatement(encodeStatement({ ...signature, subject })).subject).toBe(subject);
  });

  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['null', () => new Replacement(null), /it is not an object/],
    ['a list', () => new Replacement([]), /it is not an object/],
    [
      'another _type',
      (copy) => {
        copy._type = 'https://in-toto.io/Statement/v2';
      },
      /_type is "https:\/\/in-toto\.io\/Statement\/v2"/,
    ],
    [
      'the old _type',
      (copy) => {
        copy._type = 'https://in-toto.io/Statement/v0.1';
      },
      /_type is/,
    ],
    [
      'no _type',
      (copy) => {
        delete copy._type;
      },
      /no member "_type"/,
    ],
    [
      'a member more',
      (copy) => {
        copy.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'no subject',
      (copy) => {
        delete copy.subject;
      },
      /no member "subject"/,
    ],
    [
      'subjects that are no list',
      (copy) => {
        copy.subject = copy.subject[0];
      },
      /not exactly one subject/,
    ],
    [
      'an empty list of subjects',
      (copy) => {
        copy.subject = [];
      },
      /not exactly one subject/,
    ],
    [
      'two subjects',
      (copy) => {
        copy.subject.push(copy.subject[0]);
      },
      /not exactly one subject/,
    ],
    [
      'a subject that is a text',
      (copy) => {
        copy.subject = ['x'];
      },
      /the subject is not an object/,
    ],
    [
      'a subject without digest',
      (copy) => {
        delete copy.subject[0].digest;
      },
      /no member "digest"/,
    ],
    [
      'a subject with more',
      (copy) => {
        copy.subject[0].uri = 'x';
      },
      /unknown member "uri"/,
    ],
    [
      'a name that is no text',
      (copy) => {
        copy.subject[0].name = 1;
      },
      /name of the subject is not a text/,
    ],
    [
      'no digest',
      (copy) => {
        copy.subject[0].digest = {};
      },
      /not exactly one digest/,
    ],
    [
      'two digests',
      (copy) => {
        copy.subject[0].digest.sha512 = 'b'.repeat(128);
      },
      /not exactly one digest/,
    ],
    [
      'a digest that is null',
      (copy) => {
        copy.subject[0].digest = null;
      },
      /the digest of the subject is not an object/,
    ],
    [
      'a SHA-1 digest',
      (copy) => {
        copy.subject[0].digest = { sha1: 'a'.repeat(40) };
      },
      /no sha256 or sha512 digest, but \{"sha1"/,
    ],
    [
      'a digest in capitals',
      (copy) => {
        copy.subject[0].digest.sha256 = 'A'.repeat(64);
      },
      /no sha256 or sha512 digest/,
    ],
    [
      'a short digest',
      (copy) => {
        copy.subject[0].digest.sha256 = 'a'.repeat(63);
      },
      /no sha256 or sha512 digest/,
    ],
    [
      'a digest with its name twice',
      (copy) => {
        copy.subject[0].digest = { '': `sha256:${hex}` };
      },
      /no sha256 or sha512 digest/,
    ],
    [
      'a digest that is a number',
      (copy) => {
        copy.subject[0].digest.sha256 = 1;
      },
      /digest of the subject is not a text/,
    ],
    [
      'annotations that are null',
      (copy) => {
        copy.subject[0].annotations = null;
      },
      /annotations is not an object/,
    ],
    [
      'an annotation that is no text',
      (copy) => {
        copy.subject[0].annotations.a = 1;
      },
      /annotation "a" is not a text/,
    ],
    [
      'an annotation that is ours',
      (copy) => {
        copy.subject[0].annotations.trellis = 'x';
      },
      /reserved annotation/,
    ],
    [
      'a predicate type that is no text',
      (copy) => {
        copy.predicateType = 1;
      },
      /predicateType is not a text/,
    ],
    [
      'an empty predicate type',
      (copy) => {
        copy.predicateType = '';
      },
      /predicateType is empty/,
    ],
    [
      'a predicate type of 513 characters',
      (copy) => {
        copy.predicateType = 'x'.repeat(513);
      },
      /predicateType is too long/,
    ],
    [
      'no predicate',
      (copy) => {
        delete copy.predicate;
      },
      /no member "predicate"/,
    ],
    [
      'a predicate that is null',
      (copy) => {
        copy.predicate = null;
      },
      /predicate is not an object/,
    ],
    [
      'a predicate that is a list',
      (copy) => {
        copy.predicate = [];
      },
      /predicate is not an object/,
    ],
    [
      'a predicate with more',
      (copy) => {
        copy.predicate.expires = 'x';
      },
      /unknown member "expires"/,
    ],
  ])('with %s is refused', async (_, change, reason) => {
    await failure('ERR_STATEMENT_INVALID', () => parseStatement(changed(signatureJson(), change)), reason);
  });

  test.each([null, 'x', 1, [], {}, true])(
    'whose trellis member is %j is refused, not unbound',
    async (value) => {
      const ofSignature = changed(signatureJson(), (copy) => {
        copy.predicate.trellis = value;
      });
      await failure('ERR_BINDING_INVALID', () => parseStatement(ofSignature), /trellis/);
      const ofAttestation = changed(attestationJson(), (copy) => {
        copy.subject[0].annotations.trellis = value;
      });
      await failure('ERR_BINDING_INVALID', () => parseStatement(ofAttestation), /trellis/);
    },
  );

  test('without a trellis member is unbound', () => {
    const unbound = changed(signatureJson(), (copy) => {
      copy.predicate = {};
    });
    expect(parseStatement(unbound).binding).toBeUndefined();
    const noAnnotations = changed(attestationJson(), (copy) => {
      delete copy.subject[0].annotations;
    });
    expect(parseStatement(noAnnotations)).toMatchObject({ binding: undefined, annotations: {} });
  });

  test('that says something twice is refused', async () => {
    const twice = encodeStatement(signature)
      .toString()
      .replace('"predicateType"', '"predicateType":"x","predicateType"');
    await failure(
      'ERR_JSON_INVALID',
      () => parseStatement(Buffer.from(twice)),
      /member "predicateType" twice/,
    );
    const deep = encodeStatement(signature).toString().replace('"v":1', '"v":2,"\\u0076":1');
    await failure('ERR_JSON_INVALID', () => parseStatement(Buffer.from(deep)), /member "v" twice/);
  });

  test('that is no JSON, or not UTF-8, is refused', async () => {
    await failure(
      'ERR_JSON_INVALID',
      () => parseStatement(Buffer.from('{')),
      /the statement is not a JSON document/,
    );
    await failure('ERR_JSON_INVALID', () => parseStatement(Buffer.of(0x22, 0xff, 0x22)), /UTF-8/);
  });

  test('that nests too deep is refused', async () => {
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
    await failure('ERR_JSON_INVALID', () => parseStatement(Buffer.from(deep)), /deeper than 64/);
  });

  test('that is too large is refused', async () => {
    const large = Buffer.alloc(maxStatementBytes + 1, ' ');
    await failure('ERR_BUNDLE_TOO_LARGE', () => parseStatement(large), /6291457 bytes/);
  });
});

describe('of cosign 3', () => {
  const sign = `{"_type":"https://in-toto.io/Statement/v1", "subject":[{"digest":{"sha256":"${hex}"}, "annotations":{"build":"7", "who":"me"}}], "predicateType":"https://sigstore.dev/cosign/sign/v1", "predicate":{}}`;
  const attest = `{"_type":"https://in-toto.io/Statement/v0.1", "subject":[{"name":"127.0.0.1:45871/app", "digest":{"sha256":"${hex}"}}], "predicateType":"https://example.com/t", "predicate":{"a":1}}`;

  test('signatures are read', () => {
    expect(parseStatement(Buffer.from(sign))).toEqual({
      subject: `sha256:${hex}`,
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
      annotations: { build: '7', who: 'me' },
      binding: undefined,
    });
  });

  test('attestations are read, in the older form that they have', () => {
    expect(parseStatement(Buffer.from(attest))).toEqual({
      subject: `sha256:${hex}`,
      predicateType: 'https://example.com/t',
      predicate: { a: 1 },
      annotations: {},
      binding: undefined,
    });
  });

  test('attestations in the older form have no annotations, so no binding', async () => {
    const bound = attest.replace('"digest"', '"annotations":{},"digest"');
    await failure(
      'ERR_STATEMENT_INVALID',
      () => parseStatement(Buffer.from(bound)),
      /unknown member "annotations"/,
    );
  });
});

describe('encoding', () => {
  test('sorts the signers, so that all parties write the same bytes', () => {
    const reversed = { ...binding, signers: binding.signers.toReversed() };
    expect(encodeStatement({ ...signature, binding: reversed })).toEqual(encodeStatement(signature));
  });

  test('refuses what could not be read back', async () => {
    await failure(
      'ERR_STATEMENT_INVALID',
      () => encodeStatement({ ...signature, predicate: {} }),
      /no predicate of its own/,
    );
    await failure(
      'ERR_STATEMENT_INVALID',
      () => encodeStatement({ ...attestation, predicate: undefined }),
      /no member "predicate"/,
    );
    await failure(
      'ERR_STATEMENT_INVALID',
      () => encodeStatement({ ...attestation, annotations: { trellis: 'x' } }),
      /reserved/,
    );
    await failure(
      'ERR_BINDING_INVALID',
      () => encodeStatement({ ...signature, binding: { ...binding, signers: [] } }),
      /empty/,
    );
    await failure(
      'ERR_BINDING_INVALID',
      () => encodeStatement({ ...signature, binding: { ...binding, signedAt: new Date(Number.NaN) } }),
      /signedAt/,
    );
    await failure(
      'ERR_BUNDLE_TOO_LARGE',
      () => encodeStatement({ ...attestation, predicate: { sbom: 'x'.repeat(maxStatementBytes) } }),
      /bytes/,
    );
  });
});
