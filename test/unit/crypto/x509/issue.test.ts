import { createHash, type webcrypto, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { parseSpki } from '../../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import {
  createIssuer,
  issueCa,
  issueRoot,
  issueServerCertificate,
  issueSvid,
} from '../../../../src/crypto/x509/issue.ts';
import { extensionOid } from '../../../../src/crypto/x509/oids.ts';
import {
  at,
  day,
  expectCode,
  hour,
  makeIssuingCa,
  makeLeaf,
  makeRoot,
  nextSerial,
  now,
  spiffeId,
  trustDomain,
} from '../support/fixtures.ts';
import { extensionsWithout, forge } from '../support/forge.ts';
import { x509 } from '../support/peculiar.ts';

const root = makeRoot();
const issuing = makeIssuingCa(root, { pathLen: 0 });
const leaf = makeLeaf(issuing);

const oidsOf = (certificate: { extensions: { all: readonly { oid: string }[] } }): string[] =>
  certificate.extensions.all.map((e) => e.oid);
const criticalOf = (certificate: {
  extensions: { all: readonly { oid: string; critical: boolean }[] };
}): string[] => certificate.extensions.all.filter((e) => e.critical).map((e) => e.oid);

describe('OpenSSL reads what we issue', () => {
  test('a root', () => {
    const openssl = new X509Certificate(root.certificate.der);
    expect(openssl.subject).toBe('O=Trellis\nCN=root');
    expect(openssl.issuer).toBe('O=Trellis\nCN=root');
    expect(openssl.ca).toBe(true);
    expect(openssl.verify(openssl.publicKey)).toBe(true);
    expect(openssl.checkIssued(openssl)).toBe(true);
    expect(openssl.subjectAltName).toBe(`URI:spiffe://${trustDomain}`);
    expect(openssl.serialNumber).toBe(root.certificate.serial.toString('hex').toUpperCase());
    expect(openssl.validFromDate).toEqual(root.certificate.notBefore);
    expect(openssl.validToDate).toEqual(root.certificate.notAfter);
  });

  test('an issuing CA under it, and a leaf under that', () => {
    const [top, middle, bottom] = [root, issuing, leaf].map(
      ({ certificate }) => new X509Certificate(certificate.der),
    );
    if (top === undefined || middle === undefined || bottom === undefined) throw new Error('unreachable');
    expect([middle.ca, bottom.ca]).toEqual([true, false]);
    expect(middle.checkIssued(top) && middle.verify(top.publicKey)).toBe(true);
    expect(bottom.checkIssued(middle) && bottom.verify(middle.publicKey)).toBe(true);
    expect(bottom.checkIssued(top)).toBe(false);
    expect(bottom.subjectAltName).toBe(`URI:${spiffeId}`);
    expect(bottom.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(bottom.publicKey.equals(leaf.key.publicKey)).toBe(true);
  });
});

describe('@peculiar/x509 reads what we issue', () => {
  test('a root and a leaf', async () => {
    const top = new x509.X509Certificate(root.certificate.der);
    const middle = new x509.X509Certificate(issuing.certificate.der);
    const bottom = new x509.X509Certificate(leaf.certificate.der);
    expect(await top.verify({ signatureOnly: true })).toBe(true);
    expect(await middle.verify({ publicKey: await top.publicKey.export(), signatureOnly: true })).toBe(true);
    expect(await bottom.verify({ publicKey: await middle.publicKey.export(), signatureOnly: true })).toBe(
      true,
    );
    expect(top.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
      ca: true,
      pathLength: undefined,
      critical: true,
    });
    expect(middle.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
      ca: true,
      pathLength: 0,
      critical: true,
    });
    expect(bottom.getExtension(x509.BasicConstraintsExtension)).toBeNull();
    const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
    expect(top.getExtension(x509.KeyUsagesExtension)).toMatchObject({
      usages: keyCertSign | cRLSign,
      critical: true,
    });
    expect(bottom.getExtension(x509.KeyUsagesExtension)).toMatchObject({
      usages: digitalSignature,
      critical: true,
    });
    const names = bottom.getExtension(x509.SubjectAlternativeNameExtension);
    expect(names?.critical).toBe(true);
    expect(names?.names.toJSON()).toEqual([{ type: 'url', value: spiffeId }]);
    expect(bottom.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(
      middle.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    );
  });

  test('and we read what it issues', async () => {
    const algorithm = { name: 'ML-DSA-65' };
    const keys = (await crypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const theirs = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '0102',
      name: 'O=Someone, CN=Else',
      notBefore: now,
      notAfter: at(day),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 2, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const parsed = parseCertificate(Buffer.from(theirs.rawData));
    expect(parsed.serial).toEqual(Buffer.of(1, 2));
    expect(parsed.extensions.basicConstraints).toEqual({ ca: true, pathLen: 2 });
    expect(parsed.extensions.keyUsage).toEqual(new Set([5]));
    expect(parsed.extensions.subjectAltName?.uris).toEqual([`spiffe://${trustDomain}`]);
    expect(parsed.extensions.subjectKeyId?.toString('hex')).toBe(
      theirs.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    );
    expect([parsed.notBefore, parsed.notAfter]).toEqual([theirs.notBefore, theirs.notAfter]);
  });
});

describe('what is in a certificate', () => {
  test('extensions and their criticality', () => {
    expect(criticalOf(root.certificate)).toEqual([extensionOid.basicConstraints, extensionOid.keyUsage]);
    expect(criticalOf(leaf.certificate)).toEqual([extensionOid.keyUsage, extensionOid.subjectAltName]);
    expect(oidsOf(leaf.certificate)).not.toContain(extensionOid.subjectAltPublicKeyInfo);
    expect(oidsOf(leaf.certificate).slice(-2)).toEqual([
      extensionOid.altSignatureAlgorithm,
      extensionOid.altSignatureValue,
    ]);
    expect(oidsOf(issuing.certificate)).toContain(extensionOid.subjectAltPublicKeyInfo);
  });

  test('the SPIFFE ID is not critical beside a subject name', () => {
    const named = makeLeaf(root, { commonName: 'gateway' }).certificate;
    expect(criticalOf(named)).toEqual([extensionOid.keyUsage]);
    expect(new X509Certificate(named.der).subject).toBe('CN=gateway');
  });

  test('the key identifier is RFC 7093 method 1', () => {
    const { keyBits } = parseSpki(root.certificate.spki);
    const expected = createHash('sha256').update(keyBits).digest().subarray(0, 20);
    expect(root.certificate.extensions.subjectKeyId).toEqual(expected);
    expect(issuing.certificate.extensions.authorityKeyId).toEqual(expected);
  });

  test('serial numbers are positive and as long as the random bytes, whatever these are', () => {
    for (const length of [16, 20]) {
      for (const fill of [0x00, 0x80, 0xff]) {
        const der = issueSvid(root.issuer, svidTemplate({ serial: Buffer.alloc(length, fill) }));
        const { serial } = parseCertificate(der);
        expect(serial.length).toBe(length);
        expect(serial[0]).toBeLessThan(0x80);
        expect(serial.subarray(1)).toEqual(Buffer.alloc(length - 1, fill));
      }
    }
    for (const length of [0, 15, 21]) {
      expectCode('ERR_CERT_ISSUE', () =>
        issueSvid(root.issuer, svidTemplate({ serial: Buffer.alloc(length, 1) })),
      );
    }
  });

  test('a root valid beyond 2049 has both kinds of time', () => {
    const notAfter = new Date('2055-01-01T00:00:00Z');
    expect(makeRoot({ notAfter }).certificate.notAfter).toEqual(notAfter);
  });

  test('a CA without a second key issues certificates without a counter-signature', () => {
    const plain = makeRoot({ counterAlgorithm: null });
    expect(plain.certificate.extensions.counterKey).toBeUndefined();
    expect(makeLeaf(plain).certificate.extensions.counterSignature).toBeUndefined();
  });

  test('all pairs of algorithms work', () => {
    for (const [algorithm, counterAlgorithm] of [
      ['ML-DSA-87', 'ECDSA-P384'],
      ['ECDSA-P256', 'ML-DSA-65'],
    ] as const) {
      const ca = makeRoot({ algorithm, counterAlgorithm });
      const openssl = new X509Certificate(makeLeaf(ca).certificate.der);
      expect(openssl.verify(ca.key.publicKey)).toBe(true);
    }
  });
});

describe('refuses to issue', () => {
  test.each([
    ['an ID that is none', { spiffeId: 'https://mesh.example/a' }, 'ERR_SPIFFE_ID_INVALID'],
    ['an ID without a path', { spiffeId: 'spiffe://mesh.example' }, 'ERR_CERT_ISSUE'],
    ['a key that is none', { subjectKey: Buffer.from('x') }, 'ERR_KEY_INVALID'],
    ['a leaf that outlives its issuer', { notAfter: at(31 * day) }, 'ERR_CERT_ISSUE'],
    ['an empty validity', { notBefore: at(hour), notAfter: at(0) }, 'ERR_CERT_ISSUE'],
    ['an invalid date', { notBefore: new Date(Number.NaN) }, 'ERR_CERT_ISSUE'],
    ['an empty common name', { subject: { commonName: '' } }, 'ERR_CERT_ISSUE'],
    ['a common name that is too long', { subject: { commonName: 'x'.repeat(65) } }, 'ERR_CERT_ISSUE'],
  ] as const)('%s', (_what, change, code) => {
    expectCode(code, () => issueSvid(issuing.issuer, svidTemplate(change)));
  });

  test('a leaf exactly as long as its issuer is fine', () => {
    const { certificate } = makeLeaf(issuing, { notAfter: issuing.certificate.notAfter });
    expect(certificate.notAfter).toEqual(issuing.certificate.notAfter);
  });

  test('a fraction of a second beyond is cut off, a whole second is refused', () => {
    const end = issuing.certificate.notAfter.getTime();
    expect(makeLeaf(issuing, { notAfter: new Date(end + 999) }).certificate.notAfter.getTime()).toBe(end);
    expectCode('ERR_CERT_ISSUE', () => makeLeaf(issuing, { notAfter: new Date(end + 1000) }));
  });

  test('a CA below a path length of zero, or one with a larger path length', () => {
    expectCode('ERR_CERT_ISSUE', () => makeIssuingCa(issuing));
    expectCode('ERR_CERT_ISSUE', () => makeIssuingCa(makeRoot({ pathLen: 1 }), { pathLen: 1 }));
    expect(
      makeIssuingCa(makeRoot({ pathLen: 1 }), { pathLen: 0 }).certificate.extensions.basicConstraints
        ?.pathLen,
    ).toBe(0);
  });

  test('an issuing CA without a second key under one that has one', () => {
    const error = expectCode('ERR_CERT_ISSUE', () => makeIssuingCa(root, { counterAlgorithm: null }));
    expect(error.message).toContain('second key');
  });

  test('two keys of the same kind', () => {
    expectCode('ERR_CERT_ISSUE', () => makeRoot({ counterAlgorithm: 'ML-DSA-87' }));
    expectCode('ERR_CERT_ISSUE', () => makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: 'ECDSA-P384' }));
    expectCode('ERR_CERT_ISSUE', () => makeIssuingCa(root, { counterAlgorithm: 'ML-DSA-65' }));
  });

  test('a CA without a name, or for something that is no trust domain', () => {
    const template = {
      subjectKey: spkiDer(generateSigningKey('ML-DSA-65')),
      counterKey: spkiDer(generateSigningKey('ECDSA-P256')),
      subject: { commonName: 'ca' },
      trustDomain,
      serial: nextSerial(),
      notBefore: now,
      notAfter: at(day),
    };
    expect(parseCertificate(issueCa(root.issuer, template)).extensions.basicConstraints?.ca).toBe(true);
    expectCode('ERR_CERT_ISSUE', () => issueCa(root.issuer, { ...template, subject: {} }));
    expectCode('ERR_SPIFFE_ID_INVALID', () => issueCa(root.issuer, { ...template, trustDomain: 'a/b' }));
    expectCode('ERR_CERT_ISSUE', () =>
      issueRoot({ ...template, key: root.key, counterKey: generateSigningKey('ECDSA-P256'), subject: {} }),
    );
  });
});

describe('createIssuer refuses', () => {
  const { certificate, key, counterKey } = root;

  test('a key or second key that belongs to another certificate', () => {
    const other = makeRoot();
    expectCode('ERR_CERT_ISSUE', () =>
      createIssuer({ certificate, key: other.key, counterKey: counterKey ?? other.key }),
    );
    expectCode('ERR_CERT_ISSUE', () =>
      createIssuer({ certificate, key, counterKey: other.counterKey ?? key }),
    );
  });

  test('a missing second key, and one the certificate does not know', () => {
    const plain = makeRoot({ counterAlgorithm: null });
    expectCode('ERR_CERT_ISSUE', () => createIssuer({ certificate, key }));
    expectCode('ERR_CERT_ISSUE', () =>
      createIssuer({ certificate: plain.certificate, key: plain.key, counterKey: counterKey ?? key }),
    );
  });

  test('a CA certificate without a key identifier', () => {
    const extensions = extensionsWithout(certificate, extensionOid.subjectKeyIdentifier);
    const anonymous = parseCertificate(forge(certificate, key, { extensions }));
    const parts = { certificate: anonymous, key, ...(counterKey === undefined ? {} : { counterKey }) };
    expectCode('ERR_CERT_ISSUE', () => createIssuer(parts), 'key identifier');
  });

  test('a certificate that is no CA', () => {
    expectCode('ERR_CERT_NOT_A_CA', () => createIssuer({ certificate: leaf.certificate, key: leaf.key }));
  });
});

function svidTemplate(change: Partial<Parameters<typeof issueSvid>[1]>): Parameters<typeof issueSvid>[1] {
  return {
    subjectKey: leaf.certificate.spki,
    spiffeId,
    serial: nextSerial(),
    notBefore: now,
    notAfter: at(hour),
    ...change,
  };
}

describe('TLS servers outside of the mesh', () => {
  const key = generateSigningKey('ECDSA-P256');
  const times = { notBefore: at(-hour), notAfter: at(day) };
  const subject = { commonName: 'servers' };
  const ca = parseCertificate(issueRoot({ key, serial: nextSerial(), ...times, subject, pathLen: 0 }));
  const issuer = createIssuer({ certificate: ca, key });
  const template = {
    ...{ subjectKey: spkiDer(generateSigningKey('ECDSA-P256')), serial: nextSerial(), ...times },
    dnsNames: ['a.b.svc', '1.b.svc'],
  };

  test('their CA speaks for no mesh, and they are known by their names alone', () => {
    const [root, server] = [ca.der, issueServerCertificate(issuer, template)].map(
      (der) => new X509Certificate(der),
    );
    if (root === undefined || server === undefined) throw new Error('unreachable');
    expect([root.ca, root.subjectAltName]).toEqual([true, undefined]);
    expect(server.checkIssued(root) && server.verify(root.publicKey)).toBe(true);
    expect([server.ca, server.subjectAltName, server.keyUsage]).toEqual([
      ...[false, 'DNS:a.b.svc, DNS:1.b.svc', ['1.3.6.1.5.5.7.3.1']],
    ]);
    const { extensions } = parseCertificate(server.raw);
    expect(extensions.subjectAltName).toEqual({ dnsNames: template.dnsNames, uris: [] });
    // RFC 5280 §4.2.1.6: the subject is empty.
    expect(criticalOf({ extensions })).toContain(extensionOid.subjectAltName);
  });

  test.each([
    [[]],
    [['']],
    [['A.b']],
    [['a.b.']],
    [['*.b']],
    [['a\0.b']],
    [['a..b']],
    [[`${'a.'.repeat(127)}aa`]],
  ])('not for %j', (dnsNames) => {
    expectCode('ERR_CERT_ISSUE', () => issueServerCertificate(issuer, { ...template, dnsNames }));
  });

  test('nor for longer than their CA lives', () => {
    const notAfter = at(2 * day);
    expectCode('ERR_CERT_ISSUE', () => issueServerCertificate(issuer, { ...template, notAfter }));
  });
});
