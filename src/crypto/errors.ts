/** Everything that can go wrong in this folder, by name. The names are stable: other folders, metrics and the documentation rely on them. */
export type CryptoErrorCode =
  /** Bytes are not the one DER encoding of what was expected (X.690 §10, §11). */
  | 'ERR_DER'
  /** Text is not the expected PEM (RFC 7468). */
  | 'ERR_PEM'
  /** An algorithm that Trellis does not have, by name or by object identifier. */
  | 'ERR_ALGORITHM_UNKNOWN'
  /** An algorithm that Trellis has, but not for this use (ML-DSA-44 is verify only). */
  | 'ERR_ALGORITHM_NOT_ALLOWED'
  /** A key that cannot be read, or not in a form Trellis can use. */
  | 'ERR_KEY_INVALID'
  /** A ciphertext or key of the wrong kind or length was given to ML-KEM. */
  | 'ERR_KEM'
  /** A string is not a SPIFFE ID or a trust domain name. */
  | 'ERR_SPIFFE_ID_INVALID'
  /** Not a certificate that Trellis reads: malformed, or outside the strict profile. */
  | 'ERR_CERT_PARSE'
  /** The caller asked for a certificate that must not exist. */
  | 'ERR_CERT_ISSUE'
  | 'ERR_CERT_EXPIRED'
  | 'ERR_CERT_NOT_YET_VALID'
  /** No anchor or intermediate has the subject and key identifier that the certificate names as its issuer. */
  | 'ERR_CERT_UNKNOWN_ISSUER'
  | 'ERR_CERT_BAD_SIGNATURE'
  /** A link of the chain is signed with, or holds, a key of an algorithm the caller does not accept. */
  | 'ERR_CERT_ALGORITHM_NOT_ALLOWED'
  /** An issuer is not a certification authority. */
  | 'ERR_CERT_NOT_A_CA'
  /** More CA certificates than an issuer's pathLenConstraint, or than Trellis' own limit, allows. */
  | 'ERR_CERT_PATH_TOO_LONG'
  /** The key may not be used for this: keyUsage or extended key usage. */
  | 'ERR_CERT_KEY_USAGE'
  /** A critical extension, or one that narrows what an issuer may sign, that Trellis does not process. */
  | 'ERR_CERT_UNKNOWN_CRITICAL_EXTENSION'
  /** A CA certificate where an SVID was expected. */
  | 'ERR_CERT_LEAF_IS_CA'
  | 'ERR_CERT_NO_SPIFFE_ID'
  | 'ERR_CERT_MULTIPLE_SPIFFE_IDS'
  | 'ERR_CERT_WRONG_TRUST_DOMAIN'
  /** The certificate carries no alternative signature. */
  | 'ERR_COUNTER_SIGNATURE_MISSING'
  /** The issuer's certificate carries no second public key. */
  | 'ERR_COUNTER_KEY_MISSING'
  /** The alternative signature's algorithm is not the one of the issuer's second key. */
  | 'ERR_COUNTER_SIGNATURE_ALGORITHM'
  /** The alternative signature does not verify under the issuer's second key. */
  | 'ERR_COUNTER_SIGNATURE_INVALID'
  /** Not a PKCS#10 request that Trellis reads. */
  | 'ERR_CSR_PARSE'
  /** The request is not signed by the key it holds. */
  | 'ERR_CSR_BAD_SIGNATURE'
  /** A trust bundle with an anchor that must not be in it. */
  | 'ERR_BUNDLE_INVALID';

/** The only error this folder throws on purpose, whatever bytes it is given. */
export class CryptoError extends Error {
  override readonly name = 'CryptoError';
  readonly code: CryptoErrorCode;

  constructor(code: CryptoErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * Runs a parser and gives whatever it throws the parser's own code, so that no internal error class (OpenSSL's among
 * them) reaches a caller. A CryptoError whose code already says more than "malformed" passes unchanged.
 */
export function asParseError<T>(code: CryptoErrorCode, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CryptoError && error.code !== 'ERR_DER') throw error;
    throw new CryptoError(code, `${what}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
