// What a transparency log's entry says about a signature, beyond what Sigstore's library compares (signature and payload).
// ECDSA lets anyone construct a second key under which a given signature is valid too, so an entry that names another
// key than the bundle's certificate is one that nobody who watches the log for this identity would find.

import { X509Certificate } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { parseStrictJson } from '../../registry/strict-json.ts';
import { decodeBase64 } from '../base64.ts';
import { Refused } from './refused.ts';

/** An entry holds digests, a signature and a certificate: 4 to 8 KB. */
const maxBodyBytes = 64 * 1024;
const maxBodyDepth = 16;

type Path = readonly (string | number)[];

interface CertificatePlace {
  readonly path: Path;
  readonly form: 'pem' | 'der';
}

/** Where each type of entry keeps the signer's certificate (sigstore/rekor, pkg/types; rekor-tiles, proto/rekor/v2). */
const certificatePlaces: ReadonlyMap<string, CertificatePlace> = new Map([
  ['intoto 0.0.2', pem('spec', 'content', 'envelope', 'signatures', 0, 'publicKey')],
  ['dsse 0.0.1', pem('spec', 'signatures', 0, 'verifier')],
  ['hashedrekord 0.0.1', pem('spec', 'signature', 'publicKey', 'content')],
  ['dsse 0.0.2', der('spec', 'dsseV002', 'signatures', 0, 'verifier', 'x509Certificate', 'rawBytes')],
  [
    'hashedrekord 0.0.2',
    der('spec', 'hashedRekordV002', 'signature', 'verifier', 'x509Certificate', 'rawBytes'),
  ],
]);

function pem(...path: Path): CertificatePlace {
  return { path, form: 'pem' };
}

function der(...path: Path): CertificatePlace {
  return { path, form: 'der' };
}

/**
 * The entry was made for a signature with this very certificate.
 * @param certificate DER
 * @throws Refused
 */
export function checkEntryCertificate(
  { kindVersion, canonicalizedBody }: TransparencyLogEntry,
  certificate: Uint8Array,
): void {
  const type = `${kindVersion.kind} ${kindVersion.version}`;
  const known = certificatePlaces.get(type);
  if (known === undefined) throw new Refused('the transparency log entry is of an unknown type');
  if (!loggedCertificate(canonicalizedBody, known).equals(certificate))
    throw new Refused("the transparency log entry is for another key than the bundle's certificate");
}

function loggedCertificate(body: Buffer, { path, form }: CertificatePlace): Buffer {
  try {
    const found = at(parseStrictJson(body, { maxBytes: maxBodyBytes, maxDepth: maxBodyDepth }), path);
    if (typeof found !== 'string') throw new Error('it names no certificate');
    const bytes = decodeBase64(found, 'the certificate');
    // Clients break the lines of PEM as they like; what counts is the certificate.
    return form === 'der' ? bytes : new X509Certificate(bytes).raw;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refused(`the transparency log entry cannot be read: ${reason}`);
  }
}

function at(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Readonly<Record<string | number, unknown>>)[step];
  }
  return found;
}
