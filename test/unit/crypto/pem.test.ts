import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fromPem, fromPemOne, maxPemBytes, toPem } from '../../../src/crypto/pem.ts';
import { expectCode, makeRoot } from './support/fixtures.ts';

const der = Buffer.from('some bytes that need more than one line of base64 when they are written as PEM');
const pem = toPem('CERTIFICATE', der);

describe('fromPem', () => {
  test('reads back what toPem wrote, with text around it and with CRLF', () => {
    expect(fromPem(pem, 'CERTIFICATE')).toEqual([der]);
    expect(fromPem(`# the mesh's root\n${pem}\nand another\n${pem}`, 'CERTIFICATE')).toEqual([der, der]);
    expect(fromPem(pem.replaceAll('\n', '\r\n'), 'CERTIFICATE')).toEqual([der]);
  });

  test('OpenSSL reads our PEM, and we read its', () => {
    const { certificate } = makeRoot();
    const openssl = new X509Certificate(toPem('CERTIFICATE', certificate.der));
    expect(fromPemOne(openssl.toString(), 'CERTIFICATE')).toEqual(certificate.der);
  });

  test.each<[string, string, string?]>([
    ['nothing', '', 'no "CERTIFICATE" block'],
    ['no block', 'just text', 'no "CERTIFICATE" block'],
    ['another label', toPem('PRIVATE KEY', der), 'expected only'],
    ['another label after a good block', pem + toPem('PRIVATE KEY', der), 'expected only'],
    ['a block that is cut off', pem.slice(0, -20), 'not base64'],
    ['a block without END', pem.split('\n').slice(0, 2).join('\n'), 'cut off'],
    ['an END without BEGIN', pem.split('\n').slice(1).join('\n'), 'out of order'],
    ['BEGIN inside a block', pem.replace('-----END', '-----BEGIN'), 'out of order'],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['an encapsulated header', pem.replace('\n', '\nProc-Type: 4,ENCRYPTED\n'), 'not base64'],
    ['base64 that is not canonical', '-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n'],
    ['padding in the middle', '-----BEGIN CERTIFICATE-----\nAA==\nAAAA\n-----END CERTIFICATE-----\n'],
    [
      'a line that is too long',
      `-----BEGIN CERTIFICATE-----\n${'A'.repeat(68)}\n-----END CERTIFICATE-----\n`,
    ],
    ['a broken BEGIN line', pem.replace('BEGIN CERTIFICATE-----', 'BEGIN CERTIFICATE----'), 'broken BEGIN'],
    [
      'a block without END before a good one',
      `${pem.split('\n').slice(0, 2).join('\n')}\n${pem}`,
      'out of order',
    ],
    ['a good block before one without END', pem + pem.split('\n').slice(0, 2).join('\n'), 'cut off'],
    ['a huge text', 'x'.repeat(maxPemBytes + 1), 'longer than'],
  ])('refuses %s', (_what, text, reason = '') => {
    expectCode('ERR_PEM', () => fromPem(text, 'CERTIFICATE'), reason);
  });

  test('the message does not quote the content', () => {
    const secret = Buffer.alloc(60, 'secret').toString('base64');
    const broken = `-----BEGIN PRIVATE KEY-----\n${secret}!\n-----END PRIVATE KEY-----\n`;
    expect(expectCode('ERR_PEM', () => fromPem(broken, 'PRIVATE KEY')).message).not.toContain(
      secret.slice(0, 8),
    );
  });
});

test('fromPemOne wants exactly one block', () => {
  expect(fromPemOne(pem, 'CERTIFICATE')).toEqual(der);
  expectCode('ERR_PEM', () => fromPemOne(pem + pem, 'CERTIFICATE'));
});
