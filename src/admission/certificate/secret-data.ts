// The Secret's data: PEM under the names that Kubernetes has for them, and a generation that marks it as ours.

import { importSigningKey } from '../../crypto/keys.ts';
import { fromPem, fromPemOne, toPem } from '../../crypto/pem.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import { createIssuer } from '../../crypto/x509/issue.ts';
import { ownField } from '../../model/manifest.ts';
import { keyBytes } from './issue.ts';
import type { KeyedCertificate, ServingState } from './serving-state.ts';

const names = {
  generation: 'trellis-generation',
  leaf: ['tls.crt', 'tls.key'],
  authority: ['ca.crt', 'ca.key'],
  next: ['next-ca.crt', 'next-ca.key'],
  previous: 'previous-ca.crt',
} as const;

/** All that are ours; other names in the Secret are somebody else's, and kept. */
const ownNames = [names.generation, ...names.leaf, ...names.authority, ...names.next, names.previous];

/** A certificate of these has less than 1 KB; a Secret cannot have more than 1 MB. */
const maxValueBytes = 16 * 1024;
const generationText = /^[1-9][0-9]{0,8}$/;

/** What could be read. Whatever is there is good by itself; how the parts fit together is for the plan. */
export interface StoredState {
  /** `foreign`: something is there, and it does not say that it is ours. */
  readonly kind: 'empty' | 'found' | 'foreign';
  /** 0 when it does not say. */
  readonly generation: number;
  readonly authority: KeyedCertificate | undefined;
  readonly leaf: KeyedCertificate | undefined;
  readonly next: KeyedCertificate | undefined;
  readonly previous: readonly Certificate[];
  /** The names whose values are damaged. */
  readonly problems: readonly string[];
}

export const emptyState: StoredState = {
  ...{ kind: 'empty', generation: 0, authority: undefined, leaf: undefined, next: undefined },
  ...{ previous: [], problems: [] },
};

/** @param data of a Secret, base64; anything at all */
export function readSecretData(data: unknown): StoredState {
  const read = (name: string): string => textOf(ownField(data, name));
  if (ownNames.every((name) => read(name) === '')) return emptyState;
  const problems: string[] = [];
  const attempt = <T>(name: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch {
      problems.push(name);
      return undefined;
    }
  };
  const pair = (
    [certificate, key]: readonly [string, string],
    mayBeAbsent: boolean,
  ): KeyedCertificate | undefined => {
    if (mayBeAbsent && read(certificate) === '' && read(key) === '') return undefined;
    return attempt(certificate, () => parsePair(read(certificate), read(key)));
  };
  const asIssuer = (keyed: KeyedCertificate | undefined, name: string): KeyedCertificate | undefined =>
    keyed && attempt(name, () => createIssuer(keyed) && keyed);
  const isOurs = generationText.test(read(names.generation));
  return {
    kind: isOurs ? 'found' : 'foreign',
    generation: isOurs ? Number(read(names.generation)) : 0,
    authority: asIssuer(pair(names.authority, false), names.authority[0]),
    leaf: pair(names.leaf, false),
    next: asIssuer(pair(names.next, true), names.next[0]),
    previous: attempt(names.previous, () => parseCertificates(read(names.previous))) ?? [],
    problems,
  };
}

/** Base64, as a Secret has it: values for all names that are ours, undefined for those that go. */
export function writeSecretData(state: ServingState): Record<string, string | undefined> {
  const { generation, authority, leaf, next, previous } = state;
  const [leafCertificate, leafKey] = names.leaf;
  const [authorityCertificate, authorityKey] = names.authority;
  const [nextCertificate, nextKey] = names.next;
  return {
    [names.generation]: base64(String(generation)),
    [leafCertificate]: base64(certificatePem(leaf.certificate)),
    [leafKey]: base64(keyPem(leaf)),
    [authorityCertificate]: base64(certificatePem(authority.certificate)),
    [authorityKey]: base64(keyPem(authority)),
    [nextCertificate]: next && base64(certificatePem(next.certificate)),
    [nextKey]: next && base64(keyPem(next)),
    [names.previous]: previous.length === 0 ? undefined : base64(previous.map(certificatePem).join('')),
  };
}

export function certificatePem({ der }: Certificate): string {
  return toPem('CERTIFICATE', der);
}

export function keyPem(keyed: KeyedCertificate): string {
  return toPem('PRIVATE KEY', keyBytes(keyed));
}

/** PEM of several certificates, or nothing. @throws CryptoError */
function parseCertificates(text: string): Certificate[] {
  return text === '' ? [] : fromPem(text, 'CERTIFICATE').map(parseCertificate);
}

/** @throws CryptoError; Error when the two do not belong together */
function parsePair(certificateText: string, keyText: string): KeyedCertificate {
  const certificate = parseCertificate(fromPemOne(certificateText, 'CERTIFICATE'));
  const key = importSigningKey(fromPemOne(keyText, 'PRIVATE KEY'));
  if (!certificate.publicKey.equals(key.publicKey)) throw new Error('the key is not the certificate’s');
  return { certificate, key };
}

function textOf(value: unknown): string {
  if (typeof value !== 'string' || value.length > maxValueBytes) return '';
  return Buffer.from(value, 'base64').toString('utf8').trim();
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
