import { describe, expect, test } from 'vitest';
import { CounterSignatureCheck } from '../../../src/authz/counter-signature.ts';
import { toPem } from '../../../src/crypto/pem.ts';
import type { Certificate } from '../../../src/crypto/x509/certificate.ts';
import { at, hour, makeIssuingCa, makeLeaf, makeRoot, now, trustDomain } from '../crypto/support/fixtures.ts';

const root = makeRoot();
const leaf = makeLeaf(root).certificate;

/** As Envoy sends it. */
function encoded(certificate: { readonly der: Uint8Array }): Buffer {
  return Buffer.from(encodeURIComponent(toPem('CERTIFICATE', certificate.der)));
}

function check(change: { anchors?: () => readonly Certificate[]; now?: () => Date } = {}) {
  const anchors = [root.certificate];
  return new CounterSignatureCheck({ anchors: () => anchors, trustDomain, now: () => now, ...change });
}

describe('a certificate', () => {
  test('that both keys of the CA have signed is good, again and again', () => {
    const judge = check();
    expect(judge.judge(encoded(leaf))).toBeUndefined();
    expect(judge.judge(encoded(leaf))).toBeUndefined();
  });

  test('without a counter-signature is not', () => {
    const plain = makeRoot({ counterAlgorithm: null });
    const judge = check({ anchors: () => [plain.certificate] });
    expect(judge.judge(encoded(makeLeaf(plain).certificate))).toBe('counter-signature-missing');
    expect(judge.judge(Buffer.alloc(0))).toBe('counter-signature-missing');
  });

  test('that only one of the keys has signed is not', () => {
    // The primary key stolen, with a second key of the thief's own; the bundle knows the rightful one.
    const thief = makeRoot();
    expect(check().judge(encoded(makeLeaf(thief).certificate))).toBe('counter-signature-invalid');
  });

  test.each<[string, () => Buffer]>([
    ['of a stranger', () => encoded(makeLeaf(makeRoot({ name: 'stranger' })).certificate)],
    [
      'of another trust domain',
      () =>
        encoded(
          makeLeaf(makeRoot({ trustDomain: 'other.example' }), {
            spiffeId: 'spiffe://other.example/ns/a/sa/b',
          }).certificate,
        ),
    ],
    ['whose issuer is not in the bundle itself', () => encoded(makeLeaf(makeIssuingCa(root)).certificate)],
    ['of a CA', () => encoded(root.certificate)],
    [
      'that has run out',
      () => encoded(makeLeaf(root, { notBefore: at(-2 * hour), notAfter: at(-hour) }).certificate),
    ],
    ['cut off', () => encoded(leaf).subarray(0, -100)],
    ['with something after it', () => Buffer.concat([encoded(leaf), encoded(leaf)])],
    ['with a broken escape', () => Buffer.concat([encoded(leaf), Buffer.from('%')])],
    ['that is none', () => Buffer.from('-----BEGIN%20CERTIFICATE-----')],
    [
      'changed in one place',
      () => {
        const der = Buffer.from(leaf.der);
        // In the subject's public key: both signatures break.
        const at = der.indexOf(leaf.spki) + leaf.spki.length - 1;
        der[at] = (der[at] ?? 0) ^ 1;
        return encoded({ der });
      },
    ],
  ])('%s is not', (_name, certificate) => {
    const judge = check();
    expect(judge.judge(certificate())).toBe('counter-signature-invalid');
    expect(judge.judge(certificate())).toBe('counter-signature-invalid');
  });
});

test('a certificate of another trust domain is not good because the bundle has an anchor of that domain', () => {
  const federated = makeRoot({ trustDomain: 'other.example', name: 'other' });
  const stranger = makeLeaf(federated, { spiffeId: 'spiffe://other.example/ns/a/sa/b' }).certificate;
  expect(check({ anchors: () => [root.certificate, federated.certificate] }).judge(encoded(stranger))).toBe(
    'counter-signature-invalid',
  );
});

describe('what is remembered', () => {
  test('is of exactly this certificate: not of one that begins like it', () => {
    const judge = check();
    const good = encoded(leaf);
    expect(judge.judge(good)).toBeUndefined();
    const other = Buffer.from(good);
    // In the signature, near the end.
    const at = good.length - 200;
    other[at] = (other[at] ?? 0) === 0x41 ? 0x42 : 0x41;
    expect(judge.judge(other)).toBe('counter-signature-invalid');
    expect(judge.judge(good)).toBeUndefined();
  });

  test('outlives the bytes it was read from', () => {
    const judge = check();
    const bytes = encoded(leaf);
    const copy = Buffer.from(bytes);
    judge.judge(bytes);
    bytes.fill(0x41, 200);
    expect(judge.judge(bytes)).toBe('counter-signature-invalid');
    expect(judge.judge(copy)).toBeUndefined();
  });

  test('is forgotten with the bundle', () => {
    let anchors: readonly Certificate[] = [root.certificate];
    const judge = check({ anchors: () => anchors });
    expect(judge.judge(encoded(leaf))).toBeUndefined();
    anchors = [makeRoot({ name: 'next' }).certificate];
    expect(judge.judge(encoded(leaf))).toBe('counter-signature-invalid');
    anchors = [root.certificate];
    expect(judge.judge(encoded(leaf))).toBeUndefined();
  });

  test('ends with the certificate, and begins no sooner', () => {
    let time = now;
    const judge = check({ now: () => time });
    const later = makeLeaf(root, { notBefore: at(hour), notAfter: at(2 * hour) }).certificate;
    expect(judge.judge(encoded(later))).toBe('counter-signature-invalid');
    time = at(hour);
    expect(judge.judge(encoded(later))).toBeUndefined();
    time = at(2 * hour);
    expect(judge.judge(encoded(later))).toBeUndefined();
    time = at(2 * hour + 1);
    expect(judge.judge(encoded(later))).toBe('counter-signature-invalid');
  });
});
