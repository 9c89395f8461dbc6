/** Everything that can be wrong with the certificate that the webhook serves, by name. The names are stable. */
export type CertificateErrorCode =
  /** The Secret holds a certificate that was not made here: it is somebody's own, and is not overwritten. */
  | 'ERR_SERVING_CERTIFICATE_FOREIGN'
  /** There is no Secret to keep it in. */
  | 'ERR_SERVING_CERTIFICATE_NO_SECRET'
  /** An answer that is no Secret, or no webhook configuration. */
  | 'ERR_SERVING_CERTIFICATE_PROTOCOL'
  /** Certificate and key files that cannot be served. */
  | 'ERR_SERVING_CERTIFICATE_FILES';

/** The message says what is wrong and what to do next; it never holds a key. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code: CertificateErrorCode;

  constructor(code: CertificateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
