/** Everything that can go wrong in this folder, by name. The names are stable: exit codes, metrics and the documentation rely on them. */
export type SigningErrorCode =
  /** A public key that cannot be read, or of no algorithm of Trellis. */
  | 'ERR_PUBLIC_KEY_INVALID'
  /** A private key file that is malformed, or asks for more work than a key file may. */
  | 'ERR_KEY_FILE_INVALID'
  /** The password does not open the key file. */
  | 'ERR_KEY_FILE_PASSWORD'
  /** A key URI of a key management service that is malformed, or of a service Trellis does not know. */
  | 'ERR_KMS_URI_INVALID'
  /** The key management service refused, or its key is not one that Trellis can use. */
  | 'ERR_KMS_KEY'
  /** The key management service cannot be reached. */
  | 'ERR_KMS_UNAVAILABLE'
  /** No credentials or no region for the key management service, or ones that cannot be used. */
  | 'ERR_KMS_CREDENTIALS'
  /** A key file is readable by others than its owner. */
  | 'ERR_KEY_FILE_NOT_PRIVATE'
  /** A file of that name is there already, and is not overwritten. */
  | 'ERR_KEY_FILE_EXISTS'
  /** Bytes that are not the one JSON document they should be: duplicate names, too deep, not UTF-8. */
  | 'ERR_JSON_INVALID'
  /** Text that is not the one base64 encoding of its bytes. */
  | 'ERR_BASE64_INVALID'
  /** Not an in-toto statement that Trellis reads. */
  | 'ERR_STATEMENT_INVALID'
  /** A statement whose `trellis` member is not what this version knows: never read as a statement without one. */
  | 'ERR_BINDING_INVALID'
  /** Not a DSSE envelope that Trellis reads. */
  | 'ERR_ENVELOPE_INVALID'
  /** A DSSE envelope with no signature, or with several. */
  | 'ERR_ENVELOPE_SIGNATURE_COUNT'
  /** Not a Sigstore bundle v0.3 that Trellis reads. */
  | 'ERR_SIGSTORE_BUNDLE_INVALID'
  /** A Sigstore bundle of another version, or something else altogether. */
  | 'ERR_BUNDLE_MEDIA_TYPE'
  /** A Sigstore bundle with a signature over bare bytes in place of a DSSE envelope. */
  | 'ERR_BUNDLE_NOT_DSSE'
  /** More bytes than a bundle or a statement may have. */
  | 'ERR_BUNDLE_TOO_LARGE'
  /** A verification policy that cannot mean anything: no keys, one key in two keysets, an impossible threshold. */
  | 'ERR_VERIFICATION_POLICY_INVALID'
  /** A Sigstore trusted root that cannot be read. */
  | 'ERR_TRUSTED_ROOT_INVALID'
  /** No identity token for keyless signing, or one that is of no use. */
  | 'ERR_IDENTITY_TOKEN'
  /** Fulcio, Rekor or a time-stamp authority cannot be reached, or refused. */
  | 'ERR_SIGSTORE_SERVICE'
  /** The address of one of these services is no https URL. */
  | 'ERR_SIGSTORE_URL_INVALID'
  /** The signer gave a signature that does not verify. */
  | 'ERR_SIGNATURE_INVALID'
  /** A time-stamp that was asked for does not verify under the trusted root. */
  | 'ERR_TIMESTAMP_NOT_VERIFIED'
  /** What was written to the registry does not verify when it is read back. */
  | 'ERR_NOT_VERIFIED_AFTER_SIGNING'
  /** The caller's deadline passed before the verdict was known. */
  | 'ERR_VERIFICATION_DEADLINE';

/** The error this folder throws on purpose. The message says what is wrong and what to do next; it never holds key material. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
  readonly code: SigningErrorCode;

  constructor(code: SigningErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
