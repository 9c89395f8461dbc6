// Whose signature a log's entry is about, read from bytes that anyone may have written.

import { generateKeyPairSync } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkEntryCertificate } from '../../../../src/signing/keyless/log-entry.ts';
import { type ForgedAuthority, forgeAuthority } from '../../../support/sigstore/forge.ts';
import { dsseBody, dsseV2Body, intotoBody } from './evidence.ts';

let ours: ForgedAuthority;
let theirs: ForgedAuthority;
beforeAll(async () => {
  ours = await forgeAuthority({ name: 'CN=ours' });
  theirs = await forgeAuthority({ name: 'CN=theirs' });
});

const parts = (certificate: Buffer) => ({
  payload: Buffer.from('{}'),
  signature: Buffer.from('signature'),
  certificate,
});

function check(body: string, kindVersion: { kind: string; version: string }): () => void {
  const entry = { kindVersion, canonicalizedBody: Buffer.from(body) } as TransparencyLogEntry;
  return () => checkEntryCertificate(entry, ours.certificate);
}

const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64');
const hashedrekord = (certificate: Buffer) => ({
  spec: { signature: { publicKey: { content: base64(pemInOneLine(certificate)) } } },
});
const hashedrekordV2 = (certificate: Buffer) => ({
  spec: {
    hashedRekordV002: { signature: { verifier: { x509Certificate: { rawBytes: base64(certificate) } } } },
  },
});
const pemInOneLine = (certificate: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${base64(certificate)}\n-----END CERTIFICATE-----\n`;

describe('an entry', () => {
  const types: [string, string, (certificate: Buffer) => object][] = [
    ['intoto', '0.0.2', (certificate) => intotoBody(parts(certificate))],
    ['dsse', '0.0.1', (certificate) => dsseBody(parts(certificate))],
    ['dsse', '0.0.2', (certificate) => dsseV2Body(parts(certificate))],
    ['hashedrekord', '0.0.1', hashedrekord],
    ['hashedrekord', '0.0.2', hashedrekordV2],
  ];

  test.each(types)('of type %s %s is for one certificate', (kind, version, body) => {
    expect(check(JSON.stringify(body(ours.certificate)), { kind, version })).not.toThrow();
    expect(check(JSON.stringify(body(theirs.certificate)), { kind, version })).toThrow(/for another key/);
    expect(check('{}', { kind, version })).toThrow(/names no certificate/);
    expect(check('{"spec":null}', { kind, version })).toThrow(/names no certificate/);
    expect(check('hello', { kind, version })).toThrow(/cannot be read/);
  });

  test.each([
    ['helm', '0.0.1'],
    ['intoto', '0.0.1'],
    ['dsse', '0.0.3'],
  ])('of type %s %s is none', (kind, version) => {
    expect(check('{}', { kind, version })).toThrow(/unknown type/);
  });

  test('that names two certificates, one of them ours, is refused', () => {
    const spec = (certificate: Buffer) => JSON.stringify(intotoBody(parts(certificate))).slice(1, -1);
    const twice = `{${spec(theirs.certificate)},${spec(ours.certificate)}}`;
    expect(check(twice, { kind: 'intoto', version: '0.0.2' })).toThrow(/cannot be read/);
  });

  test('that names a key in place of a certificate is refused', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    const body = { spec: { signatures: [{ verifier: base64(String(pem)) }] } };
    expect(check(JSON.stringify(body), { kind: 'dsse', version: '0.0.1' })).toThrow(/cannot be read/);
  });

  test('longer than any entry is refused', () => {
    const body = `${JSON.stringify(intotoBody(parts(ours.certificate)))}${' '.repeat(64 * 1024)}`;
    expect(check(body, { kind: 'intoto', version: '0.0.2' })).toThrow(/cannot be read/);
  });
});
