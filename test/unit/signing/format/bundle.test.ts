import { bundleFromJSON } from '@sigstore/bundle';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bundleMediaType,
  encodeKeyBundle,
  maxBundleBytes,
  parseBundle,
} from '../../../../src/signing/format/bundle.ts';
import { failure } from '../support.ts';
import { changed, type Loose, Replacement } from './support.ts';

const payload = Buffer.from('{"a":1}');
const signature = Buffer.of(1, 2, 3);
const hint = Buffer.alloc(32, 7).toString('base64');
let json: Loose;
let certified: Loose;

/** As sigstore-js and cosign write it. */
const tlogEntry = {
  logIndex: '7',
  logId: { keyId: 'AQID' },
  kindVersion: { kind: 'intoto', version: '0.0.2' },
  integratedTime: '1795262400',
  inclusionPromise: { signedEntryTimestamp: 'AQID' },
  inclusionProof: {
    logIndex: '7',
    rootHash: 'AQID',
    treeSize: '8',
    hashes: ['AQID', 'BAUG'],
    checkpoint: { envelope: 'rekor.example - 1\n' },
  },
  canonicalizedBody: 'AQID',
};
beforeAll(() => {
  json = JSON.parse(encodeKeyBundle({ payload, signature, hint }).toString());
  certified = {
    ...json,
    verificationMaterial: {
      certificate: { rawBytes: 'MAA=' },
      tlogEntries: [tlogEntry],
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: 'BAUG' }] },
    },
  };
});

function parse(document: unknown) {
  return parseBundle(Buffer.from(JSON.stringify(document)));
}

describe('a bundle', () => {
  test('with a key is read back as it was', () => {
    expect(parse(json)).toEqual({
      payload,
      signature,
      material: { kind: 'key', hint },
      json,
      timestamps: [],
      hasTlogEntries: false,
    });
    expect(json).toEqual({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint } },
      dsseEnvelope: {
        payload: 'eyJhIjoxfQ==',
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ sig: 'AQID' }],
      },
    });
  });

  test('with time-stamps is read back as it was', () => {
    const timestamps = [Buffer.of(1), Buffer.of(2)];
    expect(parseBundle(encodeKeyBundle({ payload, signature, hint, timestamps })).timestamps).toEqual(
      timestamps,
    );
  });

  test('is one that sigstore’s own library reads too', () => {
    expect(bundleFromJSON(json).mediaType).toBe(bundleMediaType);
    expect(bundleFromJSON(certified).verificationMaterial.tlogEntries).toHaveLength(1);
  });

  test('with a certificate has the leaf alone', () => {
    expect(parse(certified)).toEqual({
      payload,
      signature,
      material: { kind: 'certificate', chain: [Buffer.of(0x30, 0)] },
      json: certified,
      timestamps: [Buffer.of(4, 5, 6)],
      hasTlogEntries: true,
    });
  });

  test('may leave out what protobuf leaves out', () => {
    const material = (value: object) => parse({ ...json, verificationMaterial: value });
    expect(material({ publicKey: {} }).material).toEqual({ kind: 'key', hint: '' });
    expect(material({ publicKey: {}, tlogEntries: [] }).hasTlogEntries).toBe(false);
    expect(material({ publicKey: {}, timestampVerificationData: {} }).timestamps).toEqual([]);
    const {
      logIndex: _,
      integratedTime: __,
      inclusionPromise: ___,
      inclusionProof: ____,
      ...least
    } = tlogEntry;
    expect(material({ publicKey: {}, tlogEntries: [least] }).hasTlogEntries).toBe(true);
    const inclusionProof = { rootHash: 'AQID', checkpoint: { envelope: 'x' } };
    expect(material({ publicKey: {}, tlogEntries: [{ ...least, inclusionProof }] }).hasTlogEntries).toBe(
      true,
    );
  });

  test.each<[string, unknown]>([
    ['v0.2', 'application/vnd.dev.sigstore.bundle.v0.2+json'],
    ['v0.3 in its older spelling', 'application/vnd.dev.sigstore.bundle+json;version=0.3'],
    ['v0.30', 'application/vnd.dev.sigstore.bundle.v0.30+json'],
    ['another case', bundleMediaType.toUpperCase()],
    ['nothing', undefined],
    ['a list', [bundleMediaType]],
  ])('of %s is refused', async (_, mediaType) => {
    await failure('ERR_BUNDLE_MEDIA_TYPE', () => parse({ ...json, mediaType }), /its media type is/);
  });

  test('with a message signature is refused', async () => {
    const messageSignature = { messageDigest: { algorithm: 'SHA2_256', digest: 'AQID' }, signature: 'AQID' };
    const { dsseEnvelope: _, ...rest } = json;
    await failure(
      'ERR_BUNDLE_NOT_DSSE',
      () => parse({ ...rest, messageSignature }),
      /signature over bare bytes/,
    );
    await failure(
      'ERR_BUNDLE_NOT_DSSE',
      () => parse({ ...json, messageSignature }),
      /signature over bare bytes/,
    );
  });

  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['null', () => new Replacement(null), /it is not an object/],
    [
      'a member more',
      (copy) => {
        copy.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'no envelope',
      (copy) => {
        delete copy.dsseEnvelope;
      },
      /no member "dsseEnvelope"/,
    ],
    [
      'no material',
      (copy) => {
        delete copy.verificationMaterial;
      },
      /no member "verificationMaterial"|verificationMaterial is not/,
    ],
    [
      'material that is null',
      (copy) => {
        copy.verificationMaterial = null;
      },
      /verificationMaterial is not an object/,
    ],
    [
      'empty material',
      (copy) => {
        copy.verificationMaterial = {};
      },
      /no member "publicKey"/,
    ],
    [
      'material with more',
      (copy) => {
        copy.verificationMaterial.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'a key and a certificate',
      (copy) => {
        copy.verificationMaterial.publicKey = {};
      },
      /unknown member "publicKey"/,
    ],
    [
      'a chain',
      (copy) => {
        copy.verificationMaterial = { x509CertificateChain: { certificates: [] } };
      },
      /no member "publicKey"/,
    ],
    [
      'a certificate that is null',
      (copy) => {
        copy.verificationMaterial.certificate = null;
      },
      /certificate is not an object/,
    ],
    [
      'a certificate without bytes',
      (copy) => {
        copy.verificationMaterial.certificate = {};
      },
      /no member "rawBytes"/,
    ],
    [
      'a hint that is no text',
      (copy) => {
        copy.verificationMaterial = { publicKey: { hint: 1 } };
      },
      /hint is not a text/,
    ],
    [
      'a public key in it',
      (copy) => {
        copy.verificationMaterial = { publicKey: { rawBytes: '' } };
      },
      /unknown member "rawBytes"/,
    ],
    [
      'a key that is null',
      (copy) => {
        copy.verificationMaterial = { publicKey: null };
      },
      /publicKey is not an object/,
    ],
    [
      'log entries that are no list',
      (copy) => {
        copy.verificationMaterial.tlogEntries = {};
      },
      /tlogEntries is not an array/,
    ],
    [
      'nine log entries',
      (copy) => {
        copy.verificationMaterial.tlogEntries = Array(9).fill(tlogEntry);
      },
      /9 entries, more than 8/,
    ],
    [
      'time-stamps that are null',
      (copy) => {
        copy.verificationMaterial.timestampVerificationData = null;
      },
      /is not an object/,
    ],
    [
      'time-stamps of another kind',
      (copy) => {
        copy.verificationMaterial.timestampVerificationData.x = [];
      },
      /unknown member "x"/,
    ],
    [
      'time-stamps that are no list',
      (copy) => {
        copy.verificationMaterial.timestampVerificationData.rfc3161Timestamps = {};
      },
      /not an array/,
    ],
    [
      'nine time-stamps',
      (copy) => {
        copy.verificationMaterial.timestampVerificationData.rfc3161Timestamps = Array(9).fill({
          signedTimestamp: '',
        });
      },
      /9 entries/,
    ],
    [
      'an empty time-stamp',
      (copy) => {
        copy.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [{}];
      },
      /no member "signedTimestamp"/,
    ],
  ])('with %s is refused', async (_, change, reason) => {
    await failure('ERR_SIGSTORE_BUNDLE_INVALID', () => parseBundle(changed(certified, change)), reason);
  });

  test('whose envelope is malformed is refused', async () => {
    const two = changed(json, (copy) => {
      copy.dsseEnvelope.signatures.push(copy.dsseEnvelope.signatures[0]);
    });
    await failure('ERR_ENVELOPE_SIGNATURE_COUNT', () => parseBundle(two), /2 signatures/);
    await failure('ERR_ENVELOPE_INVALID', () => parse({ ...json, dsseEnvelope: {} }), /no member/);
  });

  test('with base64 that is not canonical is refused', async () => {
    const loose = (change: (copy: Loose) => unknown) => () => parseBundle(changed(certified, change));
    await failure(
      'ERR_BASE64_INVALID',
      loose((copy) => {
        copy.verificationMaterial.certificate.rawBytes = 'MAB=';
      }),
      /the certificate/,
    );
    await failure(
      'ERR_BASE64_INVALID',
      loose((copy) => {
        copy.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp = 'BA';
      }),
      /a time-stamp/,
    );
  });

  test('that says something twice is refused', async () => {
    const twice = Buffer.from(
      JSON.stringify(json).replace('"dsseEnvelope"', '"dsseEnvelope":{},"dsseEnvelope"'),
    );
    await failure('ERR_JSON_INVALID', () => parseBundle(twice), /member "dsseEnvelope" twice/);
  });

  test('may have a statement of the largest size, and a quarter of a megabyte beside it', () => {
    expect(maxBundleBytes).toBe(8 * 1024 * 1024 + 256 * 1024);
  });

  test('that is too large is refused, by the limit that holds', async () => {
    await failure(
      'ERR_BUNDLE_TOO_LARGE',
      () => parseBundle(Buffer.alloc(maxBundleBytes + 1)),
      /bytes, where/,
    );
    const bytes = Buffer.from(JSON.stringify(json));
    expect(parseBundle(bytes, bytes.length)).toBeDefined();
    await failure('ERR_BUNDLE_TOO_LARGE', () => parseBundle(bytes, bytes.length - 1), /bytes, where/);
  });
});

describe('a log entry', () => {
  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['null', () => new Replacement(null), /a log entry is not an object/],
    [
      'a member more',
      (copy) => {
        copy.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'no log',
      (copy) => {
        delete copy.logId;
      },
      /no member "logId"/,
    ],
    [
      'a log with more',
      (copy) => {
        copy.logId.x = 1;
      },
      /unknown member "x"/,
    ],
    [
      'no kind',
      (copy) => {
        delete copy.kindVersion.kind;
      },
      /no member "kind"/,
    ],
    [
      'a kind that is no text',
      (copy) => {
        copy.kindVersion.kind = 1;
      },
      /kindVersion.kind is not a text/,
    ],
    [
      'a version that is no text',
      (copy) => {
        copy.kindVersion.version = 1;
      },
      /kindVersion.version is not a text/,
    ],
    [
      'no body',
      (copy) => {
        delete copy.canonicalizedBody;
      },
      /no member "canonicalizedBody"/,
    ],
    [
      'an index that is a number',
      (copy) => {
        copy.logIndex = 7;
      },
      /logIndex is not a text/,
    ],
    [
      'an index with a sign',
      (copy) => {
        copy.logIndex = '-7';
      },
      /logIndex is not a whole number/,
    ],
    [
      'an index with a zero before it',
      (copy) => {
        copy.logIndex = '07';
      },
      /logIndex is not a whole number/,
    ],
    [
      'an index with a blank',
      (copy) => {
        copy.logIndex = '7 ';
      },
      /logIndex is not a whole number/,
    ],
    [
      'an index of twenty digits',
      (copy) => {
        copy.logIndex = '1'.repeat(20);
      },
      /logIndex is not a whole number/,
    ],
    [
      'a time that is no number',
      (copy) => {
        copy.integratedTime = 'now';
      },
      /integratedTime is not a whole number/,
    ],
    [
      'a promise with more',
      (copy) => {
        copy.inclusionPromise.x = 1;
      },
      /unknown member "x"/,
    ],
    [
      'a promise that is null',
      (copy) => {
        copy.inclusionPromise = null;
      },
      /inclusionPromise is not an object/,
    ],
    [
      'a proof with more',
      (copy) => {
        copy.inclusionProof.x = 1;
      },
      /unknown member "x"/,
    ],
    [
      'a proof without root',
      (copy) => {
        delete copy.inclusionProof.rootHash;
      },
      /no member "rootHash"/,
    ],
    [
      'a proof whose size is no number',
      (copy) => {
        copy.inclusionProof.treeSize = 'x';
      },
      /treeSize is not a whole number/,
    ],
    [
      'a proof whose index is no number',
      (copy) => {
        copy.inclusionProof.logIndex = 'x';
      },
      /logIndex is not a whole number/,
    ],
    [
      'a proof whose hashes are no list',
      (copy) => {
        copy.inclusionProof.hashes = null;
      },
      /hashes is not an array/,
    ],
    [
      'a proof of 65 hashes',
      (copy) => {
        copy.inclusionProof.hashes = Array(65).fill('AQID');
      },
      /65 entries, more than 64/,
    ],
    [
      'a checkpoint with more',
      (copy) => {
        copy.inclusionProof.checkpoint.x = 1;
      },
      /unknown member "x"/,
    ],
    [
      'a checkpoint that is no text',
      (copy) => {
        copy.inclusionProof.checkpoint.envelope = 1;
      },
      /checkpoint.envelope is not a text/,
    ],
  ])('with %s is refused', async (_, change, reason) => {
    const entry: unknown = JSON.parse(changed(tlogEntry, change).toString());
    const verificationMaterial = { ...certified.verificationMaterial, tlogEntries: [tlogEntry, entry] };
    await failure('ERR_SIGSTORE_BUNDLE_INVALID', () => parse({ ...json, verificationMaterial }), reason);
  });

  test.each<[string, (copy: Loose) => unknown]>([
    [
      'logId.keyId',
      (copy) => {
        copy.logId.keyId = '-_-_';
      },
    ],
    [
      'canonicalizedBody',
      (copy) => {
        copy.canonicalizedBody = 'A';
      },
    ],
    [
      'signedEntryTimestamp',
      (copy) => {
        copy.inclusionPromise.signedEntryTimestamp = 'A';
      },
    ],
    [
      'rootHash',
      (copy) => {
        copy.inclusionProof.rootHash = 'A';
      },
    ],
    [
      'a hash of the inclusion proof',
      (copy) => {
        copy.inclusionProof.hashes[1] = 'A';
      },
    ],
  ])('whose %s is not canonical base64 is refused', async (what, change) => {
    const entry: unknown = JSON.parse(changed(tlogEntry, change).toString());
    const verificationMaterial = { ...certified.verificationMaterial, tlogEntries: [entry] };
    await failure('ERR_BASE64_INVALID', () => parse({ ...json, verificationMaterial }), new RegExp(what));
  });
});
