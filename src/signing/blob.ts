// Signatures of files: one bundle of each signer beside the file, all over one in-toto statement with its digest. Stock
// cosign verifies the classical one (verify-blob --bundle).

import { verifyBytes } from '../crypto/keys.ts';
import type { Digest } from '../registry/digest.ts';
import { SigningError } from './errors.ts';
import { sameSigners } from './format/binding.ts';
import { encodeBlobStatement, parseBlobStatement } from './format/blob-statement.ts';
import { parseBundle } from './format/bundle.ts';
import { pae, payloadType } from './format/dsse.ts';
import type { PublicKey } from './keys/public-key.ts';
import type { SigningParty } from './sign/party.ts';
import { newSigning } from './sign/payload.ts';

/** A statement about a file has a kilobyte, an ML-DSA-87 signature five, a log entry of cosign's twenty. */
export const maxBlobBundleBytes = 256 * 1024;

export interface SignedBlob {
  readonly publicKey: PublicKey;
  readonly bundle: Buffer;
}

export interface SignBlobRequest {
  readonly digest: Digest;
  readonly parties: readonly SigningParty[];
  readonly now: Date;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * A bundle of each party, all over the same statement, which names all of them. What is returned verifies.
 * @throws SigningError ERR_SIGNATURE_INVALID, ERR_STATEMENT_INVALID for more parties than a statement names, and what the parties' keys throw
 */
export async function signBlob(
  request: SignBlobRequest,
  signal?: AbortSignal,
): Promise<readonly SignedBlob[]> {
  const { digest, parties, now, randomBytes } = request;
  const keys = parties.map(({ publicKey }) => publicKey);
  const signing = newSigning({ signers: keys, now, randomBytes });
  const payload = encodeBlobStatement({ subject: digest, ...signing });
  const signed = await Promise.all(
    parties.map(async (party) => ({
      publicKey: party.publicKey,
      bundle: await party.bundle(payload, signal),
    })),
  );
  const { ok, reasons } = verifyBlob({ digest, keys, bundles: signed.map(({ bundle }) => bundle) });
  if (!ok)
    throw new SigningError('ERR_SIGNATURE_INVALID', `what was signed does not verify: ${reasons.join('; ')}`);
  return signed;
}

export interface BlobVerdict {
  readonly ok: boolean;
  /** Why not: one sentence for each key without a signature, and one for each bundle that was refused. Empty when ok. */
  readonly reasons: readonly string[];
  /** The signers' word; undefined when not ok. */
  readonly signedAt: string | undefined;
}

export interface VerifyBlobRequest {
  readonly digest: Digest;
  /** Distinct. All of them must have signed one statement that names them and nobody else. */
  readonly keys: readonly PublicKey[];
  /** Bytes of bundle files, in any order. */
  readonly bundles: readonly Uint8Array[];
}

/** Whether all keys together have signed the file. Never throws because of what a bundle holds. */
export function verifyBlob({ digest, keys, bundles }: VerifyBlobRequest): BlobVerdict {
  if (keys.length === 0) return { ok: false, reasons: ['no key was given'], signedAt: undefined };
  const judged = bundles.map((bytes) => judge(bytes, digest, keys));
  const accepted = judged.flatMap((each) => (typeof each === 'string' ? [] : [each]));
  // One statement: halves of two signings do not combine, although each is good by itself.
  for (const { payload, signedAt } of accepted) {
    const signers = accepted.filter((other) => other.payload.equals(payload));
    const missing = keys.filter((key) => !signers.some(({ by }) => by === key));
    if (missing.length === 0) return { ok: true, reasons: [], signedAt };
  }
  return {
    ok: false,
    reasons: [...reasonsOf(judged), ...missingSigners(keys, accepted)],
    signedAt: undefined,
  };
}

interface Accepted {
  readonly payload: Buffer;
  readonly by: PublicKey;
  readonly signedAt: string;
}

/** Or why it does not count. */
function judge(bytes: Uint8Array, digest: Digest, keys: readonly PublicKey[]): Accepted | string {
  try {
    const bundle = parseBundle(bytes, maxBlobBundleBytes);
    const signedAt = readStatement(bundle.payload, digest, keys);
    const message = pae(payloadType, bundle.payload);
    // The hint is only a hint; there are few keys.
    const by = keys.find(({ key }) => verifyBytes(key, message, bundle.signature));
    return by === undefined
      ? 'it is not signed by any of the keys'
      : { payload: bundle.payload, by, signedAt };
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    return error.message;
  }
}

/** When it was signed, once everything else in the statement is what it has to be. */
function readStatement(payload: Uint8Array, digest: Digest, keys: readonly PublicKey[]): string {
  const { subject, signers, signedAt } = parseBlobStatement(payload);
  if (subject !== digest) throw refused(`it is about another file, whose digest is ${subject}`);
  if (!sameSigners(signers, keys))
    throw refused('it was signed by other keys together than those given: give all of them and no other');
  return signedAt.toISOString();
}

function reasonsOf(judged: readonly (Accepted | string)[]): readonly string[] {
  return judged.flatMap((each, index) => (typeof each === 'string' ? [`bundle ${index + 1}: ${each}`] : []));
}

function missingSigners(keys: readonly PublicKey[], accepted: readonly Accepted[]): readonly string[] {
  const missing = keys.filter((key) => !accepted.some(({ by }) => by === key));
  if (missing.length === 0) return ['the signatures are of different signings: give the bundles of one'];
  return missing.map(
    ({ algorithm, spkiSha256 }) => `there is no signature by the ${algorithm} key ${spkiSha256}`,
  );
}

function refused(reason: string): SigningError {
  return new SigningError('ERR_STATEMENT_INVALID', reason);
}
