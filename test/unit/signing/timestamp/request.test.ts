// Asking an RFC 3161 authority for a time-stamp, and what of its answers is believed.

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { oid, sequence, smallInteger } from '../../../../src/crypto/der/write.ts';
import { requestTimestamp, type TimestampOptions } from '../../../../src/signing/timestamp/request.ts';
import { checkTimestampResponse, timestampRequest } from '../../../../src/signing/timestamp/response.ts';
import { sha256, unsignedToken } from '../../../support/sigstore/forge.ts';
import { type Answer, paths, startSigstore, type TestSigstore } from '../../../support/sigstore.ts';

let sigstore: TestSigstore;
beforeAll(async () => {
  sigstore = await startSigstore();
});

const signature = Buffer.from('the bytes of a signature');

function request(changes: Partial<TimestampOptions> = {}, signal?: AbortSignal): Promise<Buffer> {
  const options = { tsaUrl: sigstore.tsaUrl, random: randomBytes, transport: { sleep: async () => {} } };
  return requestTimestamp(signature, { ...options, ...changes }, signal);
}

async function refused(answer: Answer): Promise<{ code: string; message: string }> {
  sigstore.instead(paths.tsa, answer);
  const error = await request().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  sigstore.instead(paths.tsa, undefined);
  expect(error).toMatchObject({ code: 'ERR_SIGSTORE_SERVICE' });
  return error as { code: string; message: string };
}

describe('a time-stamp', () => {
  test('is for the SHA-256 of the signature, and answers this request', async () => {
    const nonce = Buffer.from('00ff00ff00ff', 'hex');
    const response = await request({ random: () => nonce });
    const content = checkTimestampResponse(response);
    expect(content.hash).toEqual(sha256(signature));
    // An INTEGER: no octet too many, and not negative.
    expect(content.nonce?.toString('hex')).toBe('00ff00ff00ff');
    expect(Math.abs(content.time.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test('is asked for at the path of Sigstore’s authority, where only a host is given', async () => {
    await request({ tsaUrl: sigstore.url });
    expect(sigstore.requests.at(-1)).toBe(`POST ${paths.tsa}`);
    sigstore.instead('/tsr', async (_body, _request, response) => {
      response.writeHead(200);
      response.end('elsewhere');
    });
    await expect(request({ tsaUrl: `${sigstore.url}/tsr` })).rejects.toThrow(/gave no time-stamp/);
    expect(sigstore.requests.at(-1)).toBe('POST /tsr');
  });

  test('is not asked for over plain HTTP', async () => {
    await expect(request({ tsaUrl: 'http://tsa.example' })).rejects.toMatchObject({
      code: 'ERR_SIGSTORE_URL_INVALID',
    });
  });

  test('is not waited for when the caller gives up', async () => {
    await expect(request({}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('an answer is refused', () => {
  test('that is for other data', async () => {
    const error = await refused(async (_body, _request, response) => {
      response.end(await sigstore.timestamp(sha256(Buffer.from('other'))));
    });
    expect(error.message).toMatch(/for other data/);
  });

  test('that answers another request', async () => {
    const error = await refused(async (_body, _request, response) => {
      response.end(await sigstore.timestamp(sha256(signature), true, 77));
    });
    expect(error.message).toMatch(/another request \(nonce\)/);
  });

  test('that grants nothing', async () => {
    const error = await refused((_body, _request, response) =>
      response.end(sequence(sequence(smallInteger(2)))),
    );
    expect(error.message).toMatch(/not granted \(status 2\)/);
  });

  test.each([
    ['no DER', Buffer.from('hello')],
    ['nothing', Buffer.alloc(0)],
    ['a grant without a time-stamp', sequence(sequence(smallInteger(0)))],
    ['something else than signed data', sequence(sequence(smallInteger(0)), sequence(oid('1.2.3')))],
    ['too much', Buffer.alloc(33 * 1024)],
  ])('that is %s', async (_name, bytes) => {
    await refused((_body, _request, response) => response.end(bytes));
  });

  test('with an error of the service', async () => {
    const error = await refused((_body, _request, response) => {
      response.writeHead(400);
      response.end('{"message":"bad request"}');
    });
    expect(error.message).toMatch(/refused with status 400: bad request/);
  });
});

test('a request in bytes: version, SHA-256 without parameters, a nonce that is not negative, certReq', () => {
  const bytes = timestampRequest(Buffer.from('abc'), Buffer.from('80', 'hex'));
  expect(bytes.toString('hex')).toBe(
    '303b020101302f300b0609608648016503040201' +
      '0420ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' +
      '020200800101ff',
  );
});

describe('the time', () => {
  test.each([
    ['20261121165106Z', '2026-11-21T16:51:06.000Z'],
    ['20261121165106.5Z', '2026-11-21T16:51:06.500Z'],
    ['20261121165106.12Z', '2026-11-21T16:51:06.120Z'],
    ['20261121165106.123456789Z', '2026-11-21T16:51:06.123Z'],
    ['20561121165106Z', '2056-11-21T16:51:06.000Z'],
  ])('%s is read', (text, iso) => {
    expect(checkTimestampResponse(unsignedToken({ genTime: text })).time.toISOString()).toBe(iso);
  });

  test.each([
    '20261121165106.120Z',
    '20261121165106.Z',
    '20261121165106',
    '20261121245106Z',
    '20261321165106Z',
    '2026112116510Z',
    '20261121165106+0100',
  ])('%s is refused', (text) => {
    expect(() => checkTimestampResponse(unsignedToken({ genTime: text }))).toThrow(/genTime: no such time/);
  });
});

describe('a response is refused', () => {
  test.each([
    ['with two signers', { signers: 2 }, /signerInfos: unexpected bytes/],
    ['without a signer', { signers: 0 }, /SignerInfo: cut off/],
    ['of another content type', { contentType: '1.2.840.113549.1.7.1' }, /of another content type/],
    ['that is very long', { padding: 33 * 1024 }, /longer than 32768 bytes/],
    ['with something behind the time-stamp', { after: smallInteger(1) }, /response: unexpected bytes/],
  ])('%s', (_name, changes, reason) => {
    expect(() => checkTimestampResponse(unsignedToken({ padding: 1024 }))).not.toThrow();
    expect(() => checkTimestampResponse(unsignedToken(changes))).toThrow(reason);
  });
});
