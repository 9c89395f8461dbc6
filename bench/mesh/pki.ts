// Who the proxies of a pair are, and with what TLS they prove it: the mesh's own, and the classical one beside it.

import { randomBytes } from 'node:crypto';
import {
  type IssuingAlgorithm,
  keyExchangeGroups,
  meshTls,
  signatureAlgorithms,
} from '../../src/crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../src/crypto/keys.ts';
import { toPem } from '../../src/crypto/pem.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { createIssuer, type Issuer, issueRoot, issueSvid } from '../../src/crypto/x509/issue.ts';
import { assembleCa, createCaFiles } from '../../src/identity/ca.ts';

export const trustDomain = 'mesh.internal';
export const clientId = `spiffe://${trustDomain}/ns/shop/sa/storefront`;
export const serverId = `spiffe://${trustDomain}/ns/shop/sa/orders`;

const hourMs = 3_600_000;
const serialBytes = 20;

export interface Credentials {
  /** PEM. */
  readonly chain: string;
  readonly key: string;
}

export interface Pki {
  /** Names in Envoy's configuration. */
  readonly group: string;
  readonly signature: string;
  /** PEM. */
  readonly anchor: string;
  readonly client: Credentials;
  readonly server: Credentials;
}

/** As in the mesh: ML-DSA, counter-signed with ECDSA, X25519MLKEM768. */
export function meshPki(now: Date): Pki {
  const { issuer } = assembleCa(createCaFiles({ trustDomain, now, randomBytes }), trustDomain, now, 'bench');
  return pki(issuer, meshTls.signature, keyExchangeGroups[meshTls.group].tlsName, now);
}

/** What meshes use today: ECDSA P-256 and X25519. */
export function classicalPki(now: Date): Pki {
  const key = generateSigningKey('ECDSA-P256');
  const root = issueRoot({
    key,
    subject: { organization: 'Bench', commonName: 'Classical root' },
    trustDomain,
    serial: randomBytes(serialBytes),
    notBefore: new Date(now.getTime() - hourMs),
    notAfter: new Date(now.getTime() + 2 * hourMs),
  });
  return pki(createIssuer({ certificate: parseCertificate(root), key }), 'ECDSA-P256', 'X25519', now);
}

function pki(issuer: Issuer, algorithm: IssuingAlgorithm, group: string, now: Date): Pki {
  const credentials = (spiffeId: string): Credentials => {
    const key = generateSigningKey(algorithm);
    const leaf = issueSvid(issuer, {
      subjectKey: spkiDer(key),
      spiffeId,
      serial: randomBytes(serialBytes),
      notBefore: now,
      notAfter: new Date(now.getTime() + hourMs),
    });
    return { chain: toPem('CERTIFICATE', leaf), key: toPem('PRIVATE KEY', exportPkcs8(key)) };
  };
  return {
    group,
    signature: signatureAlgorithms[algorithm].tlsName,
    anchor: toPem('CERTIFICATE', issuer.certificate.der),
    client: credentials(clientId),
    server: credentials(serverId),
  };
}
