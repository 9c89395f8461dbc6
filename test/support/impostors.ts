// Identities with something wrong about them. All else is right: each differs from a good one in its name's word only.

import type { IssuingAlgorithm } from '../../src/crypto/algorithms.ts';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import type { CertificateAuthority } from '../../src/identity/ca.ts';
import type { TlsCredentials } from '../../src/identity/mesh-tls.ts';
import { type Ca, makeLeaf, makeRoot } from '../unit/crypto/support/fixtures.ts';
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
    counterAlgorithm: null,
    notBefore: fromNow(-minute),
    notAfter: fromNow(60 * minute),
  });
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
