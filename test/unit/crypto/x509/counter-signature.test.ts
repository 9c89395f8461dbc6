import { createVerify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readOnly } from '../../../../src/crypto/der/read.ts';
import { tag } from '../../../../src/crypto/der/tags.ts';
import { bitString, explicit, sequence } from '../../../../src/crypto/der/write.ts';
import { generateSigningKey, type SigningKey, signBytes, spkiDer } from '../../../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../../../src/crypto/spki.ts';
import { type Certificate, parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import {
  counterSignedBytes,
  verifyCounterSignature,
  verifyCounterSignedPath,
} from '../../../../src/crypto/x509/counter-signature.ts';
import { extensionOid } from '../../../../src/crypto/x509/oids.ts';
import { type PathRequest, validatePath } from '../../../../src/crypto/x509/path.ts';
import { type Ca, expectCode, makeIssuingCa, makeLeaf, makeRoot, now } from '../support/fixtures.ts';
import {
  elementsOf,
  extension,
  extensionsWithout,
  forge,
  forgeCounterSigned,
  rawExtension,
} from '../support/forge.ts';

const root = makeRoot();
const issuing = makeIssuingCa(root);
const { certificate: leaf } = makeLeaf(issuing);
const { certificate: direct } = makeLeaf(root);
const { altSignatureAlgorithm, altSignatureValue, subjectAltPublicKeyInfo } = extensionOid;
const bare = (certificate: Certificate): Buffer[] =>
  extensionsWithout(certificate, altSignatureAlgorithm, altSignatureValue);

/** The path of a leaf, its primary signatures validated: what a thief of the ML-DSA keys can always produce. */
function pathOf(change: Partial<PathRequest>): Certificate[] {
  return validatePath({
    leaf,
    intermediates: [issuing.certificate],
    anchors: [root.certificate],
    now,
    purpose: 'client',
    ...change,
  });
}

describe('verifyCounterSignature', () => {
  test('accepts root, issuing CA and leaf under the right second keys', () => {
    expect(() => verifyCounterSignature(root.certificate, root.certificate)).not.toThrow();
    expect(() => verifyCounterSignature(issuing.certificate, root.certificate)).not.toThrow();
    expect(() => verifyCounterSignature(leaf, issuing.certificate)).not.toThrow();
    expect(() => verifyCounterSignedPath(pathOf({}))).not.toThrow();
  });

  test('covers TBSCertificate without `signature` and without altSignatureValue, in raw DER', () => {
    const e = elementsOf(leaf);
    const covered = e.extensions.slice(0, -1);
    expect(rawExtension(leaf, altSignatureAlgorithm)).toEqual(covered.at(-1));
    const bytes = sequence(
      e.version,
      e.serial,
      e.issuer,
      e.validity,
      e.subject,
      e.spki,
      explicit(3, sequence(...covered)),
    );
    const second = issuing.counterKey as SigningKey;
    const signature = leaf.extensions.counterSignature?.signature ?? Buffer.alloc(0);
    // Asked of OpenSSL directly.
    expect(createVerify('sha256').update(bytes).verify(second.publicKey, signature)).toBe(true);
    expect(counterSignedBytes(leaf.fields, covered)).toEqual(bytes);
  });

  test('costs a leaf about a hundred bytes', () => {
    const added =
      leaf.der.length -
      makeLeaf(makeRoot({ counterAlgorithm: null, name: 'issuing' })).certificate.der.length;
    expect(added).toBeGreaterThan(90);
    expect(added).toBeLessThanOrEqual(110);
  });

  test('a stripped counter-signature is missing, though the primary signature is made anew', () => {
    const stripped = parseCertificate(forge(leaf, issuing.key, { extensions: bare(leaf) }));
    expectCode('ERR_COUNTER_SIGNATURE_MISSING', () => verifyCounterSignature(stripped, issuing.certificate));
    expectCode('ERR_COUNTER_SIGNATURE_MISSING', () => verifyCounterSignedPath(pathOf({ leaf: stripped })));
  });

  test('one swapped in from another certificate of the same CA does not verify', () => {
    const { certificate: other } = makeLeaf(issuing, { spiffeId: 'spiffe://mesh.example/ns/a/sa/other' });
    const swapped = parseCertificate(
      forge(leaf, issuing.key, {
        extensions: [
          ...bare(leaf),
          rawExtension(other, altSignatureAlgorithm),
          rawExtension(other, altSignatureValue),
        ],
      }),
    );
    expect(pathOf({ leaf: swapped })).toHaveLength(3);
    expectCode('ERR_COUNTER_SIGNATURE_INVALID', () => verifyCounterSignature(swapped, issuing.certificate));
  });

  const zeros = Buffer.alloc(70);
  const serial = Buffer.concat([Buffer.of(tag.integer, 1, 5)]);
  test.each<[string, Parameters<typeof forge>[2]]>([
    ['another serial number', { serial }],
    ['another subject', { subject: root.certificate.subject }],
    ['another key', { spki: spkiDer(generateSigningKey('ML-DSA-65')) }],
    ['another validity', { validity: elementsOf(root.certificate).validity }],
    ['an extension less', { extensions: elementsOf(leaf).extensions.slice(1) }],
    ['an extension more', { extensions: [extension('1.2.3', sequence()), ...elementsOf(leaf).extensions] }],
    ['another order of extensions', { extensions: [...elementsOf(leaf).extensions].reverse() }],
    [
      'a signature of zeros',
      {
        extensions: [
          ...elementsOf(leaf).extensions.slice(0, -1),
          extension(altSignatureValue, bitString(zeros)),
        ],
      },
    ],
    [
      'an empty signature',
      {
        extensions: [
          ...elementsOf(leaf).extensions.slice(0, -1),
          extension(altSignatureValue, bitString(Buffer.alloc(0))),
        ],
      },
    ],
  ])('%s: does not verify, although the primary signature does', (_what, change) => {
    const forged = parseCertificate(forge(leaf, issuing.key, change));
    expectCode('ERR_COUNTER_SIGNATURE_INVALID', () => verifyCounterSignature(forged, issuing.certificate));
  });

  test('the position of altSignatureValue among the extensions is not covered: it is left out', () => {
    const [value, ...others] = [...elementsOf(leaf).extensions].reverse();
    const moved = parseCertificate(
      forge(leaf, issuing.key, { extensions: [value as Buffer, ...others.reverse()] }),
    );
    expect(() => verifyCounterSignature(moved, issuing.certificate)).not.toThrow();
  });

  test('a second key of another issuer is refused: by name, and when the names are the same', () => {
    const sameName = makeIssuingCa(root);
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => verifyCounterSignature(leaf, root.certificate));
    expectCode('ERR_COUNTER_SIGNATURE_INVALID', () => verifyCounterSignature(leaf, sameName.certificate));
  });

  test('an issuer without a second key', () => {
    const without = extensionsWithout(
      issuing.certificate,
      subjectAltPublicKeyInfo,
      altSignatureAlgorithm,
      altSignatureValue,
    );
    const plain = parseCertificate(forge(issuing.certificate, root.key, { extensions: without }));
    expectCode('ERR_COUNTER_KEY_MISSING', () => verifyCounterSignature(leaf, plain));
  });

  test("an algorithm that is not the one of the issuer's second key is refused by name", () => {
    const claimed = extension(altSignatureAlgorithm, encodeSignatureAlgorithm('ECDSA-P384'));
    const forged = parseCertificate(
      forge(leaf, issuing.key, {
        extensions: [...bare(leaf), claimed, rawExtension(leaf, altSignatureValue)],
      }),
    );
    expectCode('ERR_COUNTER_SIGNATURE_ALGORITHM', () => verifyCounterSignature(forged, issuing.certificate));
    // Even a correct signature over a certificate that claims the wrong algorithm.
    const second = issuing.counterKey as SigningKey;
    const value = signBytes(second, counterSignedBytes(leaf.fields, [...bare(leaf), claimed]));
    const signed = parseCertificate(
      forge(leaf, issuing.key, {
        extensions: [...bare(leaf), claimed, extension(altSignatureValue, bitString(value))],
      }),
    );
    expectCode('ERR_COUNTER_SIGNATURE_ALGORITHM', () => verifyCounterSignature(signed, issuing.certificate));
  });

  test('two post-quantum keys are no counter-signature: they fall together', () => {
    const second = generateSigningKey('ML-DSA-65');
    const ca = withSecondKey(root, second);
    const extensions = bare(direct);
    const signed = parseCertificate(forgeCounterSigned(direct, root.key, second, extensions));
    expectCode('ERR_COUNTER_SIGNATURE_ALGORITHM', () => verifyCounterSignature(signed, ca));
  });

  test('the ECDSA signature alone creates nothing: the primary signature is still demanded', () => {
    const thief = generateSigningKey('ML-DSA-65');
    const second = issuing.counterKey as SigningKey;
    const forged = parseCertificate(forgeCounterSigned(leaf, thief, second, bare(leaf)));
    expect(() => verifyCounterSignature(forged, issuing.certificate)).not.toThrow();
    expectCode('ERR_CERT_BAD_SIGNATURE', () => pathOf({ leaf: forged }));
  });
});

describe('verifyCounterSignedPath', () => {
  test('a thief of the ML-DSA root key cannot bring a second key of his own in an issuing CA', () => {
    // He issues himself a CA with the stolen root key; only its counter-signature he cannot make.
    const mine = generateSigningKey('ECDSA-P256');
    const own = withSecondKey(issuing, mine, root.key);
    const forged = parseCertificate(forgeCounterSigned(leaf, issuing.key, mine, bare(leaf)));
    const path = pathOf({ leaf: forged, intermediates: [own] });
    expect(() => verifyCounterSignature(forged, own)).not.toThrow();
    expectCode('ERR_COUNTER_SIGNATURE_INVALID', () => verifyCounterSignedPath(path));
  });

  test('an issuing CA that is not counter-signed breaks the path', () => {
    const without = extensionsWithout(issuing.certificate, altSignatureAlgorithm, altSignatureValue);
    const plain = parseCertificate(forge(issuing.certificate, root.key, { extensions: without }));
    const path = pathOf({ intermediates: [plain] });
    expect(() => verifyCounterSignature(leaf, plain)).not.toThrow();
    expectCode('ERR_COUNTER_SIGNATURE_MISSING', () => verifyCounterSignedPath(path));
  });

  test('a path of one certificate, or of none, vouches for nothing', () => {
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => verifyCounterSignedPath([root.certificate]));
    expectCode('ERR_CERT_UNKNOWN_ISSUER', () => verifyCounterSignedPath([]));
  });
});

/** The CA's certificate with another second key, signed by `signer` (its own key: a root) with a primary signature only made anew. */
function withSecondKey(ca: Ca, second: SigningKey, signer: SigningKey = ca.key): Certificate {
  const extensions = ca.certificate.extensions.all.map(({ oid, raw }) =>
    oid === subjectAltPublicKeyInfo ? extension(subjectAltPublicKeyInfo, spkiDer(second)) : raw,
  );
  return parseCertificate(forge(ca.certificate, signer, { extensions }));
}

test('the fixture is what the tests believe: the leaf carries a DER ECDSA signature', () => {
  const signature = leaf.extensions.counterSignature?.signature ?? Buffer.alloc(0);
  expect(readOnly(signature, tag.sequence, 'ECDSA signature').raw).toEqual(signature);
});
