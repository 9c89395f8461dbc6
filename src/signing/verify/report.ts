// What is said about one bundle, verified or not.

import { SigningError } from '../errors.ts';
import type { Bundle } from '../format/bundle.ts';
import { parseStatement, type SignerName, type Statement } from '../format/statement.ts';
import type { FoundBundle } from './found.ts';
import type { SignatureCode, SignatureReport } from './verdict.ts';

export interface Refusal {
  readonly code: Exclude<SignatureCode, 'valid'>;
  readonly reason: string;
}

/** A report without its outcome. */
export type Description = Omit<SignatureReport, 'ok' | 'code' | 'reason'>;

/** What a bundle says about itself; `statement` where it could be read. Nothing of it has been verified. */
export function describe(found: FoundBundle, statement: Statement | undefined): Description {
  return {
    manifest: found.manifest,
    size: found.size,
    predicateType: statement?.predicateType,
    binding: statement?.binding,
    algorithm: undefined,
    spkiSha256: undefined,
    identity: undefined,
    claimed: found.kind === 'bundle' ? claimedKey(found.bundle, statement) : {},
  };
}

const sha256Bytes = 32;

/** The key that the hint names, by the convention of cosign: the SHA-256 of its SubjectPublicKeyInfo. */
function claimedKey({ material }: Bundle, statement: Statement | undefined): Partial<SignerName> {
  if (material.kind !== 'key') return {};
  const hint = Buffer.from(material.hint, 'base64');
  if (hint.length !== sha256Bytes) return {};
  const spkiSha256 = hint.toString('hex');
  const named = statement?.binding?.signers.find((signer) => signer.spkiSha256 === spkiSha256);
  return named ?? { spkiSha256 };
}

/** The statement of a bundle, or why there is none. */
export function statementOf({ payload }: Bundle): Statement | Refusal {
  try {
    return parseStatement(payload);
  } catch (error) {
    if (error instanceof SigningError) return { code: 'statement-invalid', reason: error.message };
    throw error;
  }
}
