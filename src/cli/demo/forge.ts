// Certificates that an attacker could make: everything right but the one thing that matters. Uses the product's own
// certificate writer, so that nothing else about them is off.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../crypto/keys.ts';
import { toPem } from '../../crypto/pem.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { createIssuer, type Issuer, issueRoot, issueSvid } from '../../crypto/x509/issue.ts';
import { assembleCa, type CaFiles } from '../../identity/ca.ts';
import type { ProbeIdentity } from './sds-client.ts';

const minuteMs = 60_000;
const serialBytes = 20;

export interface Forgery {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** The algorithm of the CA that nobody in the mesh trusts. */
  readonly ca: IssuingAlgorithm;
  readonly leaf: IssuingAlgorithm;
}

/** An identity with this SPIFFE ID under a CA of the attacker's own. */
export function forgeIdentity({ spiffeId, trustDomain, ca, leaf }: Forgery): ProbeIdentity {
  const validity = tenMinutes();
  const rootKey = generateSigningKey(ca);
  const root = issueRoot({
    ...validity,
    serial: randomBytes(serialBytes),
    key: rootKey,
    subject: { organization: 'Trellis', commonName: 'an authority of the attacker' },
    trustDomain,
  });
  const issuer = createIssuer({ certificate: parseCertificate(root), key: rootKey });
  const identity = issueLeaf(issuer, spiffeId, leaf);
  return { ...identity, certificate: identity.certificate + toPem('CERTIFICATE', root) };
}

/** The CA's files as its control plane keeps them. */
export async function readCaFiles(controlPlaneState: string): Promise<CaFiles> {
  const read = (name: string): Promise<string> =>
    readFile(join(controlPlaneState, 'ca', 'root', name), 'utf8');
  const [certificate, key, counterKey] = await Promise.all([
    read('certificate.pem'),
    read('key.pem'),
    read('counter-key.pem'),
  ]);
  return { certificate, key, counterKey };
}

/** What a thief of the CA's ML-DSA key alone has in place of the counter-signature. */
export type CounterFlaw = 'missing' | 'of another key';

/**
 * What that thief can make: an SVID whose ML-DSA signature verifies up to the genuine root, so that TLS finds nothing wrong
 * with it.
 */
export function forgeWithStolenKey(
  files: CaFiles,
  { spiffeId, trustDomain, flaw }: Pick<Forgery, 'spiffeId' | 'trustDomain'> & { readonly flaw: CounterFlaw },
): ProbeIdentity {
  const { issuer } = assembleCa(files, trustDomain, new Date(), 'the CA');
  const counterKey = flaw === 'missing' ? undefined : generateSigningKey('ECDSA-P256');
  return issueLeaf({ ...issuer, counterKey }, spiffeId, 'ML-DSA-65');
}

function issueLeaf(issuer: Issuer, spiffeId: string, algorithm: IssuingAlgorithm): ProbeIdentity {
  const key = generateSigningKey(algorithm);
  const serial = randomBytes(serialBytes);
  const certificate = issueSvid(issuer, { ...tenMinutes(), serial, subjectKey: spkiDer(key), spiffeId });
  return { key: toPem('PRIVATE KEY', exportPkcs8(key)), certificate: toPem('CERTIFICATE', certificate) };
}

function tenMinutes(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - minuteMs), notAfter: new Date(now + 10 * minuteMs) };
}
