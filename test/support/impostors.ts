// Identities with something wrong about them. All else is right: each differs from a good one in its name's word only.

import type { IssuingAlgorithm } from '../../src/crypto/algorithms.ts';
import { bitString } from '../../src/crypto/der/write.ts';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import { type Certificate, parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { extensionOid } from '../../src/crypto/x509/oids.ts';
import type { CertificateAuthority } from '../../src/identity/ca.ts';
import type { TlsCredentials } from '../../src/identity/mesh-tls.ts';
import { type Ca, makeIssuingCa, makeLeaf, makeRoot } from '../unit/crypto/support/fixtures.ts';
import { extension, extensionsWithout, forge } from '../unit/crypto/support/forge.ts';
import { trustDomain } from './manifests.ts';

const minute = 60_000;

interface LeafOptions {
  readonly spiffeId: string;
  readonly algorithm?: IssuingAlgorithm;
  /** Milliseconds from now. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const fromNow = (ms: number): Date => new Date(Date.now() + ms);

/** What the mesh's own CA would sign if somebody made it. */
export function issuedByMesh(ca: CertificateAuthority, options: LeafOptions): TlsCredentials {
  return leafOf(ca, options);
}

/** The same from a CA that the mesh does not know, with that CA's certificate sent along. */
export function issuedByStranger(root: Ca, options: LeafOptions): TlsCredentials {
  const leaf = leafOf(root, options);
  return { ...leaf, certificates: [...leaf.certificates, root.certificate.der] };
}

export function strangerRoot(algorithm: IssuingAlgorithm = 'ML-DSA-65'): Ca {
  return makeRoot({
    name: 'Trellis root',
    trustDomain,
    algorithm,
    // One key of each kind, as the mesh's own has.
    counterAlgorithm: algorithm === 'ECDSA-P256' ? 'ML-DSA-65' : 'ECDSA-P256',
    notBefore: fromNow(-minute),
    notAfter: fromNow(60 * minute),
  });
}

/** What may be wrong with a counter-signature. */
export type CounterFlaw = 'missing' | 'altered' | 'transplanted' | 'of another key' | 'of a forged CA';

export const counterFlaws: readonly CounterFlaw[] = [
  'missing',
  'altered',
  'transplanted',
  'of another key',
  'of a forged CA',
];

/** What a thief of the CA's ML-DSA key alone can make: all ML-DSA signatures verify, up to the genuine root. */
export function signedByThief(
  { issuer }: { readonly issuer: Ca['issuer'] },
  flaw: CounterFlaw,
  options: LeafOptions,
): TlsCredentials {
  const thief = { issuer: { ...issuer, counterKey: generateSigningKey('ECDSA-P256') } };
  switch (flaw) {
    case 'missing':
      return leafOf({ issuer: { ...issuer, counterKey: undefined } }, options);
    case 'of another key':
      return leafOf(thief, options);
    case 'of a forged CA': {
      const forged = makeIssuingCa(thief as Ca, {
        name: 'forged',
        trustDomain,
        pathLen: 0,
        notBefore: fromNow(-minute),
        notAfter: fromNow(30 * minute),
      });
      const leaf = leafOf(forged, options);
      return { ...leaf, certificates: [...leaf.certificates, forged.certificate.der] };
    }
    case 'altered':
      return withCounterSignature(issuer, leafOf({ issuer }, options), (own) => {
        const signature = Buffer.from(own);
        signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
        return signature;
      });
    case 'transplanted': {
      const other = leafOf({ issuer }, { spiffeId: `spiffe://${trustDomain}/ns/shop/sa/other` });
      const taken = counterSignatureOf(parseCertificate(other.certificates[0] ?? new Uint8Array()));
      return withCounterSignature(issuer, leafOf({ issuer }, options), () => taken);
    }
  }
}

function counterSignatureOf(certificate: Certificate): Buffer {
  const { counterSignature } = certificate.extensions;
  if (counterSignature === undefined) throw new Error('the certificate is not counter-signed');
  return counterSignature.signature;
}

function withCounterSignature(
  issuer: Ca['issuer'],
  leaf: TlsCredentials,
  change: (signature: Buffer) => Buffer,
): TlsCredentials {
  const certificate = parseCertificate(leaf.certificates[0] ?? new Uint8Array());
  const value = bitString(change(counterSignatureOf(certificate)));
  const extensions = [
    ...extensionsWithout(certificate, extensionOid.altSignatureValue),
    extension(extensionOid.altSignatureValue, value),
  ];
  return { ...leaf, certificates: [forge(certificate, issuer.key, { extensions })] };
}

function leafOf(
  ca: { readonly issuer: Ca['issuer'] },
  { spiffeId, algorithm = 'ML-DSA-65', notBefore = -minute, notAfter = 10 * minute }: LeafOptions,
): TlsCredentials {
  const leaf = makeLeaf(ca as Ca, {
    spiffeId,
    key: generateSigningKey(algorithm),
    notBefore: fromNow(notBefore),
    notAfter: fromNow(notAfter),
  });
  return { key: leaf.key, certificates: [leaf.certificate.der] };
}
