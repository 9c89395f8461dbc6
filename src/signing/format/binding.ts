// What a Trellis signature says beyond "this digest": who signs it together, for which repository, and when. Without it
// the payload is a constant per digest, and halves of two signings, or signatures for two repositories, would combine.

import { isSignatureAlgorithm, type SignatureAlgorithm } from '../../crypto/algorithms.ts';
import { RegistryError } from '../../registry/errors.ts';
import { parseReference, repositoryName } from '../../registry/reference.ts';
import { Members, shown } from './members.ts';

/** The member's name, in the predicate of a signature and among the annotations of an attestation's subject. */
export const bindingMember = 'trellis';

const bindingVersion = 1;
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

export interface Binding {
  readonly v: 1;
  /** 128 random bits, hex: no two signings have the same payload. */
  readonly id: string;
  /** `registry/path`, without tag or digest. */
  readonly reference: string;
  /** The signer's word: nobody else has seen a clock. */
  readonly signedAt: Date;
  /** All who sign this payload: sorted by algorithm, then key; distinct. */
  readonly signers: readonly SignerName[];
}

const members: Members = new Members('ERR_BINDING_INVALID', 'the "trellis" member of the statement');

/**
 * Reads the one form `encodeBinding` writes.
 * @param value the parsed JSON
 * @throws SigningError ERR_BINDING_INVALID
 */
export function parseBinding(value: unknown): Binding {
  const binding = members.object(value, 'it', ['v', 'id', 'reference', 'signedAt', 'signers']);
  if (binding['v'] !== bindingVersion) {
    members.refuse(`its version is ${shown(binding['v'])}; this Trellis reads 1, a newer one may read more`);
  }
  const id = members.text(binding['id'], 'id');
  if (!idForm.test(id)) members.refuse('id is not 32 lower-case hexadecimal digits');
  return {
    v: bindingVersion,
    id,
    reference: readRepository(members.text(binding['reference'], 'reference')),
    signedAt: readTime(members.text(binding['signedAt'], 'signedAt')),
    signers: readSigners(binding['signers']),
  };
}

/** The binding as it is written, its signers sorted. @throws SigningError ERR_BINDING_INVALID when the time is none */
export function encodeBinding({
  v,
  id,
  reference,
  signedAt,
  signers,
}: Binding): Readonly<Record<string, unknown>> {
  if (Number.isNaN(signedAt.getTime())) members.refuse('signedAt is not a time');
  return {
    v,
    id,
    reference,
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
function readTime(text: string): Date {
  const time = new Date(text);
  if (!timeForm.test(text) || Number.isNaN(time.getTime()) || time.toISOString() !== text) {
    members.refuse('signedAt is not a UTC time such as 2026-11-21T16:29:29.048Z');
  }
  return time;
}

function readSigners(value: unknown): readonly SignerName[] {
  const signers = members.array(value, 'signers', maxSigners).map(readSigner);
  if (signers.length === 0) members.refuse('signers is empty');
  for (const [index, signer] of signers.entries()) {
    const before = signers[index - 1];
    if (before !== undefined && compareSigners(before, signer) >= 0) {
      members.refuse('signers are not sorted by algorithm and key, or one is there twice');
    }
  }
  return signers;
}

function readSigner(value: unknown): SignerName {
  const signer = members.object(value, 'a signer', ['algorithm', 'spkiSha256']);
  const algorithm = members.text(signer['algorithm'], 'algorithm');
  if (!isSignatureAlgorithm(algorithm))
    members.refuse(`a signer has the unknown algorithm ${shown(algorithm)}`);
  const spkiSha256 = members.text(signer['spkiSha256'], 'spkiSha256');
  if (!sha256Form.test(spkiSha256)) members.refuse('spkiSha256 is not 64 lower-case hexadecimal digits');
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
