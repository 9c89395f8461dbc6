// What a verification asks for. A policy that cannot mean what its author thinks is refused before anything is fetched.

import { algorithmOf } from '../../crypto/keys.ts';
import { type Digest, isDigest } from '../../registry/digest.ts';
import { SigningError } from '../errors.ts';
import type { Bundle } from '../format/bundle.ts';
import { signPredicateType } from '../format/statement.ts';
import type { PublicKey } from '../keys/public-key.ts';

/** Keys that must all have signed: a keyset of an ML-DSA and an ECDSA key holds as long as one of the two algorithms does. */
export interface Keyset {
  readonly name: string;
  /** From this instant on the keyset holds for nothing; undefined: for ever. */
  readonly notAfter: Date | undefined;
  readonly keys: readonly PublicKey[];
}

export interface KeylessIdentity {
  readonly issuer: string;
  readonly subject: string;
  /** Of the certificate. */
  readonly publicKey: PublicKey;
}

/** Judges bundles with a certificate: chain, identity, log and time. */
export interface KeylessVerifier {
  /** What it accepts, for messages. */
  readonly description: string;
  verify(
    bundle: Bundle,
    now: Date,
  ): ({ readonly ok: true } & KeylessIdentity) | { readonly ok: false; readonly reason: string };
}

/** Someone whose word counts, and how it must be given. */
export interface Authority {
  readonly name: string;
  /** How many of the keysets must hold; 1 where there is none beside `keyless`. */
  readonly threshold: number;
  readonly keysets: readonly Keyset[];
  /** Beside keysets: each of them holds only together with a certificate that this accepts, over the same payload. */
  readonly keyless: KeylessVerifier | undefined;
}

/** What a condition looks at: the parsed statement of bytes that have been verified. */
export interface ConditionSubject {
  readonly predicateType: string;
  readonly predicate: unknown;
  readonly subject: Digest;
}

export interface AttestationRequirement {
  readonly predicateType: string;
  readonly condition:
    | {
        readonly text: string;
        /** True, or why not. Anything but `true`, thrown errors too, denies. */
        holds(statement: ConditionSubject): true | string;
      }
    | undefined;
}

export interface VerificationPolicy {
  /** All of them must be satisfied. */
  readonly authorities: readonly Authority[];
  /** repository: the signature names the repository that the image was asked for under. none: cosign's own pass too. */
  readonly bindReference: 'repository' | 'none';
  /** Annotations that a signature must have (`cosign sign -a`). */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Signatures with further annotations do not count: they say something else. */
  readonly exactAnnotations?: boolean;
  /** For each of them, every authority must have signed an attestation. */
  readonly attestations: readonly AttestationRequirement[];
  /** Refused whoever signed them. */
  readonly revokedDigests: ReadonlySet<string>;
  /** spkiSha256 of keys, those of certificates included, whose signatures count for nothing. */
  readonly revokedKeys: ReadonlySet<string>;
}

const sha256Form = /^[0-9a-f]{64}$/;

/** @throws SigningError ERR_VERIFICATION_POLICY_INVALID */
export function checkPolicy(policy: VerificationPolicy): void {
  if (policy.authorities.length === 0) refuse('it names no authority; everything would pass');
  refuseTwins(policy.authorities, 'two authorities are named');
  for (const authority of policy.authorities) checkAuthority(authority);
  if (policy.bindReference !== 'repository' && policy.bindReference !== 'none') {
    refuse('bindReference is neither "repository" nor "none"');
  }
  for (const { predicateType } of policy.attestations) checkPredicateType(predicateType);
  // In another spelling they would match nothing, and nothing would say so.
  for (const digest of policy.revokedDigests) {
    if (!isDigest(digest)) refuse(`the revoked digest ${JSON.stringify(digest)} is not one`);
  }
  for (const key of policy.revokedKeys) {
    if (!sha256Form.test(key)) {
      refuse(`the revoked key ${JSON.stringify(key)} is not a SHA-256 in lower-case hexadecimal digits`);
    }
  }
}

function checkAuthority({ name, threshold, keysets, keyless }: Authority): void {
  const where = `authority "${name}"`;
  if (keysets.length === 0 && keyless === undefined) refuse(`${where} has neither keysets nor keyless`);
  const most = Math.max(keysets.length, 1);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > most) {
    refuse(`${where} has the threshold ${threshold}, which must be a whole number from 1 to ${most}`);
  }
  refuseTwins(keysets, `${where} has two keysets named`);
  const seen = new Map<string, string>();
  for (const keyset of keysets) {
    if (keyset.keys.length === 0) refuse(`${where}, keyset "${keyset.name}" has no keys`);
    if (keyset.notAfter !== undefined && Number.isNaN(keyset.notAfter.getTime())) {
      refuse(`${where}, keyset "${keyset.name}" has a notAfter that is not a time`);
    }
    // One holder could count twice toward the threshold (CVE-2026-49834).
    for (const key of keyset.keys) {
      if (algorithmOf(key.key) !== key.algorithm) {
        refuse(`${where} calls the key ${key.spkiSha256} one of ${key.algorithm}, which it is not`);
      }
      const other = seen.get(key.spkiSha256);
      if (other !== undefined) {
        refuse(`${where} has one key, ${key.spkiSha256}, in keyset "${other}" and in "${keyset.name}"`);
      }
      seen.set(key.spkiSha256, keyset.name);
    }
  }
}

function checkPredicateType(predicateType: string): void {
  if (predicateType === '') refuse('an attestation is asked for without a predicate type');
  if (predicateType === signPredicateType) {
    refuse(`${signPredicateType} is the type of signatures, which authorities ask for anyway`);
  }
}

function refuseTwins(list: readonly { readonly name: string }[], what: string): void {
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) refuse(`${what} "${name}"`);
    names.add(name);
  }
}

function refuse(reason: string): never {
  throw new SigningError(
    'ERR_VERIFICATION_POLICY_INVALID',
    `this verification policy is refused: ${reason}; correct the policy`,
  );
}
