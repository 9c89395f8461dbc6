// The one payload that all parties of a signing sign.

import type { Digest } from '../../registry/digest.ts';
import { type Repository, repositoryName } from '../../registry/reference.ts';
import type { Signing } from '../format/binding.ts';
import { encodeStatement, signPredicateType } from '../format/statement.ts';
import type { PublicKey } from '../keys/public-key.ts';

/** What a statement is about, apart from the image. */
export interface Claim {
  readonly predicateType: string;
  /** Of an attestation; a signature has none. */
  readonly predicate?: unknown;
  readonly annotations: Readonly<Record<string, string>>;
}

export function signatureClaim(annotations: Readonly<Record<string, string>> = {}): Claim {
  return { predicateType: signPredicateType, annotations };
}

export interface PayloadOptions {
  readonly claim: Claim;
  readonly subject: Digest;
  readonly repository: Repository;
  readonly signers: readonly PublicKey[];
  readonly now: Date;
  readonly randomBytes: (length: number) => Uint8Array;
}

const idBytes = 16;

/** What the payload says of its signing. */
export function newSigning({
  signers,
  now,
  randomBytes,
}: Pick<PayloadOptions, 'signers' | 'now' | 'randomBytes'>): Signing {
  return {
    v: 1,
    id: Buffer.from(randomBytes(idBytes)).toString('hex'),
    signedAt: now,
    signers: signers.map(({ algorithm, spkiSha256 }) => ({ algorithm, spkiSha256 })),
  };
}

/** @throws SigningError when nobody could read the statement: too large, an annotation named like our own member */
export function encodePayload(options: PayloadOptions): Buffer {
  const { claim, subject, repository } = options;
  const binding = { ...newSigning(options), reference: repositoryName(repository) };
  return encodeStatement({ ...claim, subject, binding });
}
