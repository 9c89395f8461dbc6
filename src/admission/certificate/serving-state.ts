// What the replicas share about the certificate they serve: who signs it, who will, and who did.

import type { SigningKey } from '../../crypto/keys.ts';
import { toPem } from '../../crypto/pem.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { isSignedBy } from '../../crypto/x509/path.ts';

/** A certificate with its own key. */
export interface KeyedCertificate {
  readonly certificate: Certificate;
  readonly key: SigningKey;
}

export interface ServingState {
  /** Grows with every change, so that an older state that comes back (from a backup, say) is known for one. */
  readonly generation: number;
  /** Signs what is served. */
  readonly authority: KeyedCertificate;
  /** What is served. */
  readonly leaf: KeyedCertificate;
  /** Trusted already; signs from its activation on. */
  readonly next: KeyedCertificate | undefined;
  /** Still trusted; signs no more, so their keys are gone. */
  readonly previous: readonly Certificate[];
}

/** What API servers must trust: PEM, in an order that activation does not change. */
export function bundleOf({ authority, next, previous }: ServingState): string {
  const all = [...previous, authority.certificate, ...(next === undefined ? [] : [next.certificate])];
  const blocks = all
    .sort((a, b) => a.notAfter.getTime() - b.notAfter.getTime() || Buffer.compare(a.der, b.der))
    .map(({ der }) => toPem('CERTIFICATE', der));
  return [...new Set(blocks)].join('');
}

/** Ends are inclusive (RFC 5280 §4.1.2.5). Written so that an invalid clock (NaN) finds nothing valid. */
export function isValidAt({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return now >= notBefore && now <= notAfter;
}

/** Whether the one vouches for the other; says nothing about time. */
export function vouchesFor(authority: Certificate, leaf: Certificate): boolean {
  return leaf.issuer.equals(authority.subject) && isSignedBy(leaf, authority);
}
