// in-toto statements about files. The predicate says of the signing what a binding says of an image's, in the same words.

import type { Digest } from '../../registry/digest.ts';
import { encodeSigning, readSigning, type Signing, signingMembers } from './binding.ts';
import { Members } from './members.ts';
import { encodeDigest, readSubject, statementType } from './statement.ts';

/**
 * A type of its own: the manifest of an image is a file too, and whoever signs it as a file has not signed the image.
 */
export const blobPredicateType = 'https://security.quantum.io/blob-signature/v1';

/** Eight signers and a SHA-512 digest have less than two kilobytes. */
const maxBlobStatementBytes = 16 * 1024;

export interface BlobStatement extends Signing {
  /** Of the file. */
  readonly subject: Digest;
}

const members: Members = new Members('ERR_STATEMENT_INVALID', 'the statement about a file');

/**
 * Reads the one form `encodeBlobStatement` writes.
 * @throws SigningError ERR_STATEMENT_INVALID, ERR_JSON_INVALID, ERR_BUNDLE_TOO_LARGE
 */
export function parseBlobStatement(payload: Uint8Array): BlobStatement {
  const parsed = members.parse(payload, maxBlobStatementBytes);
  const statement = members.object(parsed, 'it', ['_type', 'subject', 'predicateType', 'predicate']);
  members.exactText(statement['_type'], '_type', statementType);
  members.exactText(statement['predicateType'], 'predicateType', blobPredicateType);
  const predicate = members.object(statement['predicate'], 'the predicate', signingMembers);
  const { subject } = readSubject(statement['subject'], members, []);
  return { subject, ...readSigning(predicate, members) };
}

/**
 * The payload that everyone signs, byte by byte. It has been read back, so that nothing is signed which would not verify.
 * @throws SigningError ERR_STATEMENT_INVALID
 */
export function encodeBlobStatement({ subject, ...signing }: BlobStatement): Buffer {
  const payload = Buffer.from(
    JSON.stringify({
      _type: statementType,
      subject: [{ digest: encodeDigest(subject) }],
      predicateType: blobPredicateType,
      predicate: encodeSigning(signing, members),
    }),
  );
  parseBlobStatement(payload);
  return payload;
}
