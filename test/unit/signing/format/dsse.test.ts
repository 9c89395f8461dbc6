import { describe, expect, test } from 'vitest';
import { encodeEnvelope, pae, parseEnvelope, payloadType } from '../../../../src/signing/format/dsse.ts';
import { failure } from '../support.ts';
import { changed, type Loose, Replacement } from './support.ts';

const payload = Buffer.from('{"a":1}');
const signature = Buffer.of(1, 2, 3);
const json = encodeEnvelope({ payload, signature });

describe('the pre-authentication encoding', () => {
  test('is that of the specification’s example', () => {
    // dsse protocol.md, "Test Vectors".
    expect(pae('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  test('counts bytes, and separates type and payload', () => {
    expect(pae('é', Buffer.from('ü')).toString()).toBe('DSSEv1 2 é 2 ü');
    expect(pae('', Buffer.of()).toString()).toBe('DSSEv1 0  0 ');
    expect(pae('a', Buffer.from('b c'))).not.toEqual(pae('a 1 b', Buffer.from('c')));
  });
});

describe('an envelope', () => {
  test('is read back as it was', () => {
    expect(parseEnvelope(json)).toEqual({ payload, signature });
    expect(json.payloadType).toBe('application/vnd.in-toto+json');
  });

  test('may have a keyid, which means nothing', () => {
    const [entry] = json.signatures;
    expect(parseEnvelope({ ...json, signatures: [{ ...entry, keyid: 'anyone' }] })).toEqual({
      payload,
      signature,
    });
  });

  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['null', () => new Replacement(null), /the envelope is not an object/],
    [
      'another payload type',
      (copy) => {
        copy.payloadType = 'application/vnd.in-toto+json; charset=utf-8';
      },
      /payloadType is/,
    ],
    [
      'a payload type in capitals',
      (copy) => {
        copy.payloadType = payloadType.toUpperCase();
      },
      /payloadType is/,
    ],
    [
      'no payload type',
      (copy) => {
        delete copy.payloadType;
      },
      /no member "payloadType"/,
    ],
    [
      'no payload',
      (copy) => {
        delete copy.payload;
      },
      /no member "payload"/,
    ],
    [
      'a payload that is no text',
      (copy) => {
        copy.payload = 1;
      },
      /the payload is not a text/,
    ],
    [
      'a member more',
      (copy) => {
        copy.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'a signature that is null',
      (copy) => {
        copy.signatures = [null];
      },
      /the signature is not an object/,
    ],
    [
      'a signature without sig',
      (copy) => {
        delete copy.signatures[0].sig;
      },
      /no member "sig"/,
    ],
    [
      'an empty signature',
      (copy) => {
        copy.signatures[0].sig = '';
      },
      /signature is empty/,
    ],
    [
      'a signature with more',
      (copy) => {
        copy.signatures[0].alg = 'none';
      },
      /unknown member "alg"/,
    ],
    [
      'a keyid that is no text',
      (copy) => {
        copy.signatures[0].keyid = 1;
      },
      /keyid is not a text/,
    ],
  ])('with %s is refused', async (_, change, reason) => {
    const document: unknown = JSON.parse(changed(json, change).toString());
    await failure('ERR_ENVELOPE_INVALID', () => parseEnvelope(document), reason);
  });

  test.each<[string, unknown, RegExp]>([
    ['two signatures', [...json.signatures, ...json.signatures], /has 2 signatures; .*a bundle of its own/],
    ['no signature', [], /has 0 signatures/],
    ['null for signatures', null, /has no list of signatures/],
    ['one signature outside of a list', json.signatures[0], /has no list of signatures/],
  ])('with %s is refused', async (_, signatures, reason) => {
    await failure('ERR_ENVELOPE_SIGNATURE_COUNT', () => parseEnvelope({ ...json, signatures }), reason);
  });

  test('with base64 that is not canonical is refused', async () => {
    await failure(
      'ERR_BASE64_INVALID',
      () => parseEnvelope({ ...json, payload: 'eyJhIjoxfR==' }),
      /the payload is not/,
    );
    await failure(
      'ERR_BASE64_INVALID',
      () => parseEnvelope({ ...json, signatures: [{ sig: 'AQI_' }] }),
      /the signature is not/,
    );
  });
});
