// What a Trellis signature says beyond "this digest": who signs it together, for which repository, and when. Without it
// the payload is a constant per digest, and halves of two signings, or signatures for two repositories, would combine.

import { isSignatureAlgorithm, type SignatureAlgorithm } from '../../crypto/algorithms.ts';
import { RegistryError } from '../../registry/errors.ts';
import { parseReference, repositoryName } from '../../registry/reference.ts';
import type { JsonObject } from '../../registry/strict-json.ts';
import { Members, shown } from './members.ts';

/** The member's name, in the predicate of a signature and among the annotations of an attestation's subject. */
export const bindingMember = 'trellis';

/** Of bindings, and of statements about files. */
const version = 1;
/** Two are usual; a certificate and a second post-quantum family may come to them. */
const maxSigners = 8;

const idForm = /^[0-9a-f]{32}$/;
const sha256Form = /^[0-9a-f]{64}$/;
/** Four digits of year: Date also reads and writes six. */
const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export interface SignerName {
  readonly algorithm: SignatureAlgorithm;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spkiSha256: string;
}

/** What every payload of Trellis says of its signing, whatever it is about. */
export interface Signing {
  readonly v: 1;
  /** 128 random bits, hex: no two signings have the same payload. */
  readonly id: string;
  /** The signer's word: nobody else has seen a clock. */
  readonly signedAt: Date;
  /** All who sign this payload: sorted by algorithm, then key; distinct. */
  readonly signers: readonly SignerName[];
}

export interface Binding extends Signing {
  /** `registry/path`, without tag or digest. */
  readonly reference: string;
}

const members: Members = new Members('ERR_BINDING_INVALID', 'the "trellis" member of the statement');

/**
 * Reads the one form `encodeBinding` writes.
 * @param value the parsed JSON
 * @throws SigningError ERR_BINDING_INVALID
 */
export function parseBinding(value: unknown): Binding {
  const binding = members.object(value, 'it', [...signingMembers, 'reference']);
  const signing = readSigning(binding, members);
  return { ...signing, reference: readRepository(members.text(binding['reference'], 'reference')) };
}

/** The binding as it is written, its signers sorted. @throws SigningError ERR_BINDING_INVALID when the time is none */
export function encodeBinding({ reference, ...signing }: Binding): Readonly<Record<string, unknown>> {
  const { v, id, signedAt, signers } = encodeSigning(signing, members);
  return { v, id, reference, signedAt, signers };
}

export const signingMembers = ['v', 'id', 'signedAt', 'signers'] as const;

/**
 * Reads the one form `encodeSigning` writes.
 * @param object that has the `signingMembers`, perhaps among others
 * @param document that it is in: says what is wrong
 */
export function readSigning(object: JsonObject, document: Members): Signing {
  if (object['v'] !== version) {
    document.refuse(`its version is ${shown(object['v'])}; this Trellis reads 1, a newer one may read more`);
  }
  const id = document.text(object['id'], 'id');
  if (!idForm.test(id)) document.refuse('id is not 32 lower-case hexadecimal digits');
  return {
    v: version,
    id,
    signedAt: readTime(object['signedAt'], document),
    signers: readSigners(object['signers'], document),
  };
}

/** Its members in their order, the signers sorted. */
export function encodeSigning({ v, id, signedAt, signers }: Signing, document: Members) {
  if (Number.isNaN(signedAt.getTime())) document.refuse('signedAt is not a time');
  return {
    v,
    id,
    signedAt: signedAt.toISOString(),
    signers: signers.toSorted(compareSigners).map(({ algorithm, spkiSha256 }) => ({ algorithm, spkiSha256 })),
  };
}

/** Whether both name the same signers; the order says nothing. */
export function sameSigners(a: readonly SignerName[], b: readonly SignerName[]): boolean {
  const sorted = b.toSorted(compareSigners);
  return (
    a.length === b.length &&
    a.toSorted(compareSigners).every((name, index) => {
      const other = sorted[index];
      return other !== undefined && compareSigners(name, other) === 0;
    })
  );
}

function readRepository(text: string): string {
  if (canonicalRepository(text) !== text) {
    members.refuse('reference is not a repository of the form registry/path, without tag or digest');
  }
  return text;
}

function canonicalRepository(text: string): string | undefined {
  try {
    return repositoryName(parseReference(text));
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** RFC 3339 §5.6 in UTC with milliseconds: one instant, one spelling; the round trip refuses the 30th of February. */
function readTime(value: unknown, document: Members): Date {
  const text = document.text(value, 'signedAt');
  const time = new Date(text);
  if (!timeForm.test(text) || Number.isNaN(time.getTime()) || time.toISOString() !== text) {
    document.refuse('signedAt is not a UTC time such as 2026-11-21T16:29:29.048Z');
  }
  return time;
}

function readSigners(value: unknown, document: Members): readonly SignerName[] {
  const signers = document.array(value, 'signers', maxSigners).map((each) => readSigner(each, document));
  if (signers.length === 0) document.refuse('signers is empty');
  for (const [index, signer] of signers.entries()) {
    const before = signers[index - 1];
    if (before !== undefined && compareSigners(before, signer) >= 0) {
      document.refuse('signers are not sorted by algorithm and key, or one is there twice');
    }
  }
  return signers;
}

function readSigner(value: unknown, document: Members): SignerName {
  const signer = document.object(value, 'a signer', ['algorithm', 'spkiSha256']);
  const algorithm = document.text(signer['algorithm'], 'algorithm');
  if (!isSignatureAlgorithm(algorithm))
    document.refuse(`a signer has the unknown algorithm ${shown(algorithm)}`);
  const spkiSha256 = document.text(signer['spkiSha256'], 'spkiSha256');
  if (!sha256Form.test(spkiSha256)) document.refuse('spkiSha256 is not 64 lower-case hexadecimal digits');
  return { algorithm, spkiSha256 };
}

/** By code units, so that it is the same everywhere. */
function compareSigners(a: SignerName, b: SignerName): number {
  return compare(a.algorithm, b.algorithm) || compare(a.spkiSha256, b.spkiSha256);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
