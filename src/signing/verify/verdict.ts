// The outcome of a verification, for a command's output and an admission message: every reason is a sentence that says
// what is wrong and what to do next. Codes are stable.

import type { SignatureAlgorithm } from '../../crypto/algorithms.ts';
import type { Digest } from '../../registry/digest.ts';
import type { Binding, SignerName } from '../format/statement.ts';
import type { UnreadCode } from './found.ts';

/** How one bundle was judged. */
export type SignatureCode =
  /** A key or identity of the policy has signed a statement about this very image. */
  | 'valid'
  | UnreadCode
  | 'statement-invalid'
  /** The statement is about another digest. */
  | 'wrong-digest'
  /** Neither a signature nor an attestation that the policy asks for. */
  | 'other-predicate'
  /** It names neither signers nor repository, and the policy demands that. */
  | 'unbound'
  | 'wrong-repository'
  | 'wrong-annotations'
  /** The signers it names are no keyset of the policy. */
  | 'other-signers'
  /** No key of the policy made the signature. */
  | 'unknown-key'
  /** It names a key of the policy, under which it does not verify. */
  | 'signature-invalid'
  | 'certificate-refused'
  | 'key-revoked';

/** One bundle found on the image, good or not. */
export interface SignatureReport {
  readonly manifest: Digest;
  /** Bytes of the bundle. */
  readonly size: number | undefined;
  readonly ok: boolean;
  readonly code: SignatureCode;
  readonly reason: string;
  readonly predicateType: string | undefined;
  /** As the statement says; true only where `ok`. */
  readonly binding: Binding | undefined;
  /** The key under which the signature verified. */
  readonly algorithm: SignatureAlgorithm | undefined;
  readonly spkiSha256: string | undefined;
  /** Whom the certificate names, once it was accepted. */
  readonly identity: { readonly issuer: string; readonly subject: string } | undefined;
  /** The key that the bundle says it is of. Nobody has checked. */
  readonly claimed: Partial<SignerName>;
}

/** How a keyset, or the certificate of an authority without keysets, was judged. */
export type KeysetCode =
  | 'holds'
  | 'expired'
  | 'key-revoked'
  /** None of its keys has signed. */
  | 'not-signed'
  /** Some of its keys have not signed the payload that others of it have signed. */
  | 'signature-missing'
  /** No accepted certificate beside its keys' signatures. */
  | 'certificate-missing'
  /** All have signed, but the payload names other signers. */
  | 'other-signers'
  | 'condition-false';

export interface KeysetVerdict {
  /** Of the keyset; "keyless" where the authority has none. */
  readonly name: string;
  readonly ok: boolean;
  readonly code: KeysetCode;
  readonly reason: string;
  /** Of the referrers whose signatures make it hold; none where it does not. */
  readonly manifests: readonly Digest[];
}

export type AuthorityCode =
  | 'satisfied'
  /** Fewer keysets hold than the threshold asks for. */
  | 'threshold-missed'
  /** The image is on the list of revoked digests: nothing else was looked at. */
  | 'digest-revoked';

export interface AuthorityVerdict {
  readonly name: string;
  readonly ok: boolean;
  readonly code: AuthorityCode;
  readonly reason: string;
  readonly keysets: readonly KeysetVerdict[];
}

export interface AttestationVerdict {
  readonly predicateType: string;
  /** Text of the condition. */
  readonly condition: string | undefined;
  readonly ok: boolean;
  readonly authorities: readonly AuthorityVerdict[];
}

export interface Verdict {
  /** The image is signed by every authority, and each attestation is there. */
  readonly ok: boolean;
  /** What was judged, and what alone may be run. */
  readonly digest: Digest;
  /** As it was asked for. */
  readonly reference: string;
  readonly authorities: readonly AuthorityVerdict[];
  readonly attestations: readonly AttestationVerdict[];
  /** Every bundle that was looked at. Reading stops once the policy is satisfied, unless all were asked for. */
  readonly signatures: readonly SignatureReport[];
}
