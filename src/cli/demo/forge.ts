// Certificates that an attacker could make: everything right but the one thing that matters. Uses the product's own
// certificate writer, so that nothing else about them is off.

import { randomBytes } from 'node:crypto';
import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../crypto/keys.ts';
import { toPem } from '../../crypto/pem.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { createIssuer, issueRoot, issueSvid } from '../../crypto/x509/issue.ts';
import type { ProbeIdentity } from './sds-client.ts';

const minuteMs = 60_000;

export interface Forgery {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** The algorithm of the CA that nobody in the mesh trusts. */
  readonly ca: IssuingAlgorithm;
  readonly leaf: IssuingAlgorithm;
}

/** An identity with this SPIFFE ID under a CA of the attacker's own. */
export function forgeIdentity({ spiffeId, trustDomain, ca, leaf }: Forgery): ProbeIdentity {
  const now = Date.now();
  const validity = { notBefore: new Date(now - minuteMs), notAfter: new Date(now + 10 * minuteMs) };
  const rootKey = generateSigningKey(ca);
  const root = issueRoot({
    ...validity,
    serial: randomBytes(20),
    key: rootKey,
    subject: { organization: 'Trellis', commonName: 'an authority of the attacker' },
    trustDomain,
  });
  const leafKey = generateSigningKey(leaf);
  const issuer = createIssuer({ certificate: parseCertificate(root), key: rootKey });
  const certificate = issueSvid(issuer, {
    ...validity,
    serial: randomBytes(20),
    subjectKey: spkiDer(leafKey),
    spiffeId,
  });
  return {
    key: toPem('PRIVATE KEY', exportPkcs8(leafKey)),
    certificate: toPem('CERTIFICATE', certificate) + toPem('CERTIFICATE', root),
  };
}
