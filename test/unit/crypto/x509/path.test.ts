import { describe, expect, test } from 'vitest';
import type { SignatureAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { derTrue, oid, sequence, tlv } from '../../../../src/crypto/der/write.ts';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { type Certificate, parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import { extensionOid, keyPurposeOid } from '../../../../src/crypto/x509/oids.ts';
import {
  maxIntermediates,
  maxPresentedIntermediates,
  type PathRequest,
  validatePath,
} from '../../../../src/crypto/x509/path.ts';
import { svidId } from '../../../../src/crypto/x509/svid.ts';
import {
  at,
  type Ca,
  day,
  expectCode,
  hour,
  makeIssuingCa,
  makeLeaf,
  makeRoot,
  now,
  spiffeId,
  trustDomain,
} from '../support/fixtures.ts';
import {
  dnsName,
  extension,
  extensionsWithout,
  forge,
  type GeneralName,
  subjectAltName,
  uriName,
} from '../support/forge.ts';

const root = makeRoot();
const issuing = makeIssuingCa(root, { pathLen: 0 });
const { certificate: leaf } = makeLeaf(issuing);
const { certificate: direct } = makeLeaf(root);

const request: PathRequest = {
  leaf,
  intermediates: [issuing.certificate],
  anchors: [root.certificate],
  now,
  purpose: 'server',
  trustDomain,
};
const validate = (change: Partial<PathRequest>): Certificate[] => validatePath({ ...request, ...change });

/** The leaf with one extension replaced (or added), still properly signed by the issuing CA. */
function leafWith(dotted: string, ...replacement: Buffer[]): Certificate {
  const extensions = [...extensionsWithout(leaf, dotted), ...replacement];
  return parseCertificate(forge(leaf, issuing.key, { extensions }));
}

/** The issuing CA's certificate with one extension replaced (or added), still properly signed by the root. */
function issuingWith(dotted: string, ...replacement: Buffer[]): Certificate {
  const extensions = [...extensionsWithout(issuing.certificate, dotted), ...replacement];
  return parseCertificate(forge(issuing.certificate, root.key, { extensions }));
}

describe('a good path', () => {
  test('is returned leaf first, anchor last', () => {
    expect(validate({})).toEqual([leaf, issuing.certificate, root.certificate]);
    expect(validate({ leaf: direct, intermediates: [] })).toEqual([direct, root.certificate]);
    expect(svidId(leaf)).toEqual({ uri: spiffeId, trustDomain, path: '/ns/trading/sa/gateway' });
  });

  test('is found whatever else is presented, in any order', () => {
    const noise = makeIssuingCa(makeRoot({ name: 'other' }), { name: 'other issuing' }).certificate;
    expect(validate({ intermediates: [noise, root.certificate, issuing.certificate] })).toHaveLength(3);
  });

  test('ends at the anchor of the bundle, not at the copy that the peer presents', () => {
    const copy = parseCertificate(root.certificate.der);
    const path = validate({ intermediates: [copy, issuing.certificate] });
    expect(path[2]).toBe(root.certificate);
  });

  test('may end at an issuing CA that is an anchor itself', () => {
    expect(validate({ intermediates: [], anchors: [issuing.certificate] })).toEqual([
      leaf,
      issuing.certificate,
    ]);
  });

  test('is found where two roots share a name and only the key identifier tells them apart', () => {
    const twin = makeRoot();
    expect(twin.certificate.subject).toEqual(root.certificate.subject);
    expect(validate({ anchors: [twin.certificate, root.certificate] })[2]).toBe(root.certificate);
  });

  test('is found where name and key identifier are the same and only the signature tells them apart', () => {
    const impostor = sameNameAndKeyId(root);
    expect(validate({ anchors: [impostor, root.certificate] })[2]).toBe(root.certificate);
    expectCode('ERR_CERT_BAD_SIGNATURE', () => validate({ anchors: [impostor] }));
  });

  test('holds for clients as well, and without asking for a trust domain', () => {
    const { trustDomain: _any, ...anyDomain } = request;
    expect(validatePath({ ...anyDomain, purpose: 'client' })).toHaveLength(3);
  });
});

describe('issuers', () => {
  test('a foreign CA with the same names is refused', () => {
    const foreignRoot = makeRoot();
    const foreignIssuing = makeIssuingCa(foreignRoot, { pathLen: 0 });
    const foreign = makeLeaf(foreignIssuing).certificate;
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () =>
      validate({ leaf: foreign, intermediates: [foreignIssuing.certificate] }),
    );
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () =>
      validate({ leaf: foreign, intermediates: [foreignIssuing.certificate, foreignRoot.certificate] }),
    );
  });

  test('no anchors, or a missing intermediate', () => {
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => validate({ anchors: [] }));
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => validate({ intermediates: [] }));
  });

  test('a leaf signed by somebody else under the right names is a bad signature', () => {
    const forged = parseCertificate(forge(leaf, generateSigningKey('ML-DSA-65'), {}));
    expectCode('ERR_CERT_BAD_SIGNATURE', () => validate({ leaf: forged }));
  });

  test('an intermediate signed by somebody else under the right names is a bad signature', () => {
    const forged = parseCertificate(forge(issuing.certificate, generateSigningKey('ML-DSA-65'), {}));
    expectCode('ERR_CERT_BAD_SIGNATURE', () => validate({ intermediates: [forged] }));
  });

  test('a path through a leaf is refused: a workload is no CA', () => {
    const workload = makeLeaf(issuing, { commonName: 'workload' });
    const forged = parseCertificate(
      forge(leaf, workload.key, {
        issuer: workload.certificate.subject,
        extensions: extensionsWithout(leaf, extensionOid.authorityKeyIdentifier),
      }),
    );
    const intermediates = [workload.certificate, issuing.certificate];
    expectCode('ERR_CERT_NOT_A_CA', () => validate({ leaf: forged, intermediates }));
  });

  test('a leaf in the bundle vouches for nobody, not even for itself', () => {
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => validate({ anchors: [leaf], intermediates: [] }));
  });

  test('a CA without keyCertSign, without basicConstraints, or with a workload identity', () => {
    const bits = (...octets: number[]): Buffer =>
      extension(extensionOid.keyUsage, tlv(0x03, Buffer.from(octets)), true);
    const noConstraints = extensionsWithout(
      issuing.certificate,
      extensionOid.basicConstraints,
      extensionOid.subjectAltPublicKeyInfo,
    );
    const notCa = parseCertificate(forge(issuing.certificate, root.key, { extensions: noConstraints }));
    expectCode('ERR_CERT_NOT_A_CA', () => validate({ intermediates: [notCa] }));
    expectCode('ERR_CERT_KEY_USAGE', () => validate({ intermediates: [issuingWith(extensionOid.keyUsage)] }));
    expectCode('ERR_CERT_KEY_USAGE', () =>
      validate({ intermediates: [issuingWith(extensionOid.keyUsage, bits(1, 0x02))] }),
    );
    const withWorkloadId = issuingWith(extensionOid.subjectAltName, subjectAltName([uriName, spiffeId]));
    expectCode('ERR_CERT_NOT_A_CA', () => validate({ intermediates: [withWorkloadId] }));
  });

  test('a CA for other purposes, and one of another trust domain', () => {
    const codeSigning = extension(extensionOid.extendedKeyUsage, sequence(oid('1.3.6.1.5.5.7.3.3')));
    expectCode('ERR_CERT_KEY_USAGE', () =>
      validate({ intermediates: [issuingWith(extensionOid.extendedKeyUsage, codeSigning)] }),
    );
    const elsewhere = issuingWith(
      extensionOid.subjectAltName,
      subjectAltName([uriName, 'spiffe://other.example']),
    );
    expectCode('ERR_CERT_WRONG_TRUST_DOMAIN', () => validate({ intermediates: [elsewhere] }));
  });

  test('a root of another trust domain does not vouch for this one, asked or not', () => {
    const other = makeRoot({ trustDomain: 'other.example' });
    const trespassing = makeLeaf(other).certificate;
    const { trustDomain: _any, ...anyDomain } = request;
    expectCode('ERR_CERT_WRONG_TRUST_DOMAIN', () =>
      validatePath({ ...anyDomain, leaf: trespassing, anchors: [other.certificate] }),
    );
  });
});

describe('path length', () => {
  test("an issuer's own limit", () => {
    const limited = makeRoot({ pathLen: 1 });
    const first = makeIssuingCa(limited, { pathLen: 0, name: 'first' });
    expect(
      validate({
        leaf: makeLeaf(first).certificate,
        intermediates: [first.certificate],
        anchors: [limited.certificate],
      }),
    ).toHaveLength(3);
    // The issuing code refuses to go below zero, so the second one is forged.
    const second = makeIssuingCa(makeRoot(), { name: 'second' });
    const below = parseCertificate(
      forge(second.certificate, first.key, {
        issuer: first.certificate.subject,
        extensions: extensionsWithout(second.certificate, extensionOid.authorityKeyIdentifier),
      }),
    );
    const deep = makeLeaf(second).certificate;
    expectCode('ERR_CERT_PATH_TOO_LONG', () =>
      validate({ leaf: deep, intermediates: [below, first.certificate], anchors: [limited.certificate] }),
    );
  });

  test(`Trellis' own limit of ${maxIntermediates} intermediates`, () => {
    const chain = chainOf(maxIntermediates + 1);
    const last = chain[maxIntermediates - 1] as Ca;
    const tooDeep = chain[maxIntermediates] as Ca;
    const intermediates = chain.map(({ certificate }) => certificate);
    expect(validate({ leaf: makeLeaf(last).certificate, intermediates })).toHaveLength(maxIntermediates + 2);
    expectCode('ERR_CERT_PATH_TOO_LONG', () =>
      validate({ leaf: makeLeaf(tooDeep).certificate, intermediates }),
    );
  });

  test('too many presented certificates are refused before any work', () => {
    const many = Array.from({ length: maxPresentedIntermediates + 1 }, () => issuing.certificate);
    expectCode('ERR_CERT_PATH_TOO_LONG', () => validate({ intermediates: many }));
  });

  test('look-alikes cost a bounded number of signature checks', () => {
    const impostors = Array.from({ length: 40 }, () => sameNameAndKeyId(root));
    const error = expectCode('ERR_CERT_BAD_SIGNATURE', () =>
      validate({ leaf: direct, intermediates: [], anchors: impostors }),
    );
    expect(error.message).toContain('signature');
    // The true anchor stands behind more look-alikes than Trellis is willing to check.
    expectCode('ERR_CERT_BAD_SIGNATURE', () =>
      validate({ leaf: direct, intermediates: [], anchors: [...impostors, root.certificate] }),
    );
    expect(
      validate({ leaf: direct, intermediates: [], anchors: [...impostors.slice(0, 15), root.certificate] }),
    ).toHaveLength(2);
  });
});

describe('validity, with an injected clock', () => {
  const { notBefore, notAfter } = leaf;

  test('the ends are inclusive', () => {
    expect(validate({ now: notBefore })).toHaveLength(3);
    expect(validate({ now: notAfter })).toHaveLength(3);
    expectCode('ERR_CERT_NOT_YET_VALID', () => validate({ now: new Date(notBefore.getTime() - 1) }));
    expectCode('ERR_CERT_EXPIRED', () => validate({ now: new Date(notAfter.getTime() + 1) }));
  });

  test('an issuing CA at each end of its validity', () => {
    const short = makeIssuingCa(root, { notBefore: at(-hour), notAfter: at(hour) });
    const long = parseCertificate(
      forge(makeLeaf(short).certificate, short.key, {
        validity: rawValidity(makeLeaf(root, { notBefore: at(-day), notAfter: at(day) }).certificate),
      }),
    );
    const change = { leaf: long, intermediates: [short.certificate] };
    expect(validate({ ...change, now: at(hour) })).toHaveLength(3);
    expect(validate({ ...change, now: at(-hour) })).toHaveLength(3);
    expectCode('ERR_CERT_EXPIRED', () => validate({ ...change, now: at(hour + 1) }));
    expectCode('ERR_CERT_NOT_YET_VALID', () => validate({ ...change, now: at(-hour - 1) }));
  });

  test('an anchor at each end of its validity', () => {
    const short = makeRoot({ notBefore: at(-hour), notAfter: at(hour) });
    const long = parseCertificate(
      forge(makeLeaf(short).certificate, short.key, {
        validity: rawValidity(makeLeaf(root, { notBefore: at(-day), notAfter: at(day) }).certificate),
      }),
    );
    const change = { leaf: long, intermediates: [], anchors: [short.certificate] };
    expect(validate({ ...change, now: at(hour) })).toHaveLength(2);
    expectCode('ERR_CERT_EXPIRED', () => validate({ ...change, now: at(hour + 1) }));
    expectCode('ERR_CERT_NOT_YET_VALID', () => validate({ ...change, now: at(-hour - 1) }));
  });

  test('a clock that shows nothing is refused', () => {
    expectCode('ERR_CERT_NOT_YET_VALID', () => validate({ now: new Date(Number.NaN) }));
  });
});

describe('algorithms', () => {
  const classicalRoot = makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: null });
  const everything: readonly SignatureAlgorithm[] = ['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256'];

  test('an ML-DSA leaf under an ECDSA root is refused by default, and only by that', () => {
    const change = {
      leaf: makeLeaf(classicalRoot).certificate,
      intermediates: [],
      anchors: [classicalRoot.certificate],
    };
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(change));
    expect(validate({ ...change, signatureAlgorithms: everything })).toHaveLength(2);
  });

  test('an ML-DSA issuing CA under an ECDSA root is refused', () => {
    const middle = makeIssuingCa(classicalRoot, { counterAlgorithm: null });
    const change = {
      leaf: makeLeaf(middle).certificate,
      intermediates: [middle.certificate],
      anchors: [classicalRoot.certificate],
    };
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(change));
    expect(validate({ ...change, signatureAlgorithms: everything })).toHaveLength(3);
  });

  test('an ECDSA issuing CA under an ML-DSA root is refused', () => {
    const middle = makeIssuingCa(root, { algorithm: 'ECDSA-P256', counterAlgorithm: 'ML-DSA-65' });
    const change = { leaf: makeLeaf(middle).certificate, intermediates: [middle.certificate] };
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(change));
    expect(validate({ ...change, signatureAlgorithms: everything })).toHaveLength(3);
  });

  test('an ECDSA leaf under an ML-DSA root is refused', () => {
    const change = {
      leaf: makeLeaf(root, { key: generateSigningKey('ECDSA-P256') }).certificate,
      intermediates: [],
    };
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(change));
    expect(validate({ ...change, signatureAlgorithms: everything })).toHaveLength(2);
  });

  test('an anchor that is itself signed with ECDSA is refused', () => {
    const crossSigned = parseCertificate(
      forge(root.certificate, classicalRoot.key, { issuer: classicalRoot.certificate.subject }),
    );
    const change = { leaf: direct, intermediates: [], anchors: [crossSigned] };
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(change));
    expect(validate({ ...change, signatureAlgorithms: everything })).toHaveLength(2);
  });

  test('a caller can ask for ML-DSA-87 throughout', () => {
    const strict = { signatureAlgorithms: ['ML-DSA-87'] as const };
    const strong = makeRoot({ algorithm: 'ML-DSA-87' });
    const strongLeaf = makeLeaf(strong, { key: generateSigningKey('ML-DSA-87') }).certificate;
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate(strict));
    expect(
      validate({ ...strict, leaf: strongLeaf, intermediates: [], anchors: [strong.certificate] }),
    ).toHaveLength(2);
    expectCode('ERR_CERT_ALGORITHM_NOT_ALLOWED', () => validate({ signatureAlgorithms: [] }));
  });
});

describe('the leaf', () => {
  test('must not be a CA', () => {
    expectCode('ERR_CERT_LEAF_IS_CA', () => validate({ leaf: issuing.certificate }));
    const bits = (...octets: number[]): Buffer =>
      extension(extensionOid.keyUsage, tlv(0x03, Buffer.from(octets)), true);
    expectCode('ERR_CERT_LEAF_IS_CA', () =>
      validate({ leaf: leafWith(extensionOid.keyUsage, bits(2, 0x84)) }),
    );
    expectCode('ERR_CERT_LEAF_IS_CA', () =>
      validate({ leaf: leafWith(extensionOid.keyUsage, bits(1, 0x82)) }),
    );
    const caFlag = extension(extensionOid.basicConstraints, sequence(derTrue), true);
    expectCode('ERR_CERT_LEAF_IS_CA', () =>
      validate({ leaf: leafWith(extensionOid.basicConstraints, caFlag) }),
    );
  });

  test('needs the key usage digitalSignature', () => {
    const onlyEncipherment = extension(extensionOid.keyUsage, tlv(0x03, Buffer.of(5, 0x20)), true);
    expectCode('ERR_CERT_KEY_USAGE', () => validate({ leaf: leafWith(extensionOid.keyUsage) }));
    expectCode('ERR_CERT_KEY_USAGE', () =>
      validate({ leaf: leafWith(extensionOid.keyUsage, onlyEncipherment) }),
    );
  });

  test('must be for the purpose asked, when it names purposes', () => {
    const only = (purpose: string): Certificate =>
      leafWith(
        extensionOid.extendedKeyUsage,
        extension(extensionOid.extendedKeyUsage, sequence(oid(purpose))),
      );
    expect(validate({ leaf: only(keyPurposeOid.client), purpose: 'client' })).toHaveLength(3);
    expectCode('ERR_CERT_KEY_USAGE', () => validate({ leaf: only(keyPurposeOid.client), purpose: 'server' }));
    expectCode('ERR_CERT_KEY_USAGE', () => validate({ leaf: only('2.5.29.37.0'), purpose: 'server' }));
    expect(validate({ leaf: leafWith(extensionOid.extendedKeyUsage) })).toHaveLength(3);
  });

  test('has exactly one URI, which is a SPIFFE ID with a path', () => {
    const named = (...names: GeneralName[]): Certificate =>
      leafWith(extensionOid.subjectAltName, subjectAltName(...names));
    expectCode('ERR_CERT_NO_SPIFFE_ID', () => validate({ leaf: leafWith(extensionOid.subjectAltName) }));
    expectCode('ERR_CERT_NO_SPIFFE_ID', () => validate({ leaf: named([dnsName, 'a.example']) }));
    expectCode('ERR_CERT_NO_SPIFFE_ID', () => validate({ leaf: named([uriName, 'spiffe://mesh.example']) }));
    expectCode('ERR_SPIFFE_ID_INVALID', () => validate({ leaf: named([uriName, 'https://mesh.example/a']) }));
    expectCode('ERR_SPIFFE_ID_INVALID', () => validate({ leaf: named([uriName, `${spiffeId}?a=b`]) }));
    expectCode('ERR_CERT_MULTIPLE_SPIFFE_IDS', () =>
      validate({ leaf: named([uriName, spiffeId], [uriName, `${spiffeId}2`]) }),
    );
    expectCode('ERR_CERT_MULTIPLE_SPIFFE_IDS', () =>
      validate({ leaf: named([uriName, spiffeId], [uriName, 'https://a/b']) }),
    );
    expect(validate({ leaf: named([dnsName, 'a.example'], [uriName, spiffeId]) })).toHaveLength(3);
  });

  test('is of the trust domain asked', () => {
    expectCode('ERR_CERT_WRONG_TRUST_DOMAIN', () => validate({ trustDomain: 'other.example' }));
    expectCode('ERR_CERT_WRONG_TRUST_DOMAIN', () => validate({ trustDomain: 'mesh.example.evil' }));
  });
});

describe('critical extensions', () => {
  const unknown = extension('1.3.6.1.4.1.99999.1', sequence(), true);
  const names = extension(extensionOid.nameConstraints, sequence());

  test('unknown ones are refused wherever they stand; the same not critical is fine', () => {
    expectCode('ERR_CERT_UNKNOWN_CRITICAL_EXTENSION', () => validate({ leaf: leafWith('', unknown) }));
    expectCode('ERR_CERT_UNKNOWN_CRITICAL_EXTENSION', () =>
      validate({ intermediates: [issuingWith('', unknown)] }),
    );
    const extensions = [...extensionsWithout(root.certificate), unknown];
    const anchor = parseCertificate(forge(root.certificate, root.key, { extensions }));
    expectCode('ERR_CERT_UNKNOWN_CRITICAL_EXTENSION', () => validate({ anchors: [anchor] }));
    expect(validate({ leaf: leafWith('', extension('1.3.6.1.4.1.99999.1', sequence())) })).toHaveLength(3);
  });

  test('name and policy constraints are refused even when not critical, because they are not applied', () => {
    expectCode('ERR_CERT_UNKNOWN_CRITICAL_EXTENSION', () =>
      validate({ intermediates: [issuingWith('', names)] }),
    );
    const policies = extension(extensionOid.policyConstraints, sequence(tlv(0x80, Buffer.of(0))));
    expectCode('ERR_CERT_UNKNOWN_CRITICAL_EXTENSION', () =>
      validate({ intermediates: [issuingWith('', policies)] }),
    );
  });
});

function chainOf(length: number): Ca[] {
  const chain: Ca[] = [];
  let above = root;
  for (let i = 0; i < length; i++) {
    above = makeIssuingCa(above, { name: `level ${i}` });
    chain.push(above);
  }
  return chain;
}

/** A CA certificate with another key, but the subject and key identifier of the given one. */
function sameNameAndKeyId(ca: Ca): Certificate {
  const key = generateSigningKey('ML-DSA-65');
  return parseCertificate(forge(ca.certificate, key, { spki: spkiDer(key) }));
}

function rawValidity(certificate: Certificate): Buffer {
  const start = certificate.fields.afterSignature.subarray(certificate.issuer.length);
  return start.subarray(0, 2 + (start[1] ?? 0));
}

test('the forging helpers themselves produce certificates that validate', () => {
  expect(validate({ leaf: leafWith('') })).toHaveLength(3);
  expect(validate({ intermediates: [issuingWith('')] })).toHaveLength(3);
});
