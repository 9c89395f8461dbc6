/** What admission refuses to look at, by name. The names are stable. */
export type AdmissionErrorCode =
  /** Not an AdmissionReview of a version and a form that the API server sends. */
  | 'ERR_REVIEW_INVALID'
  /** The webhook is asked about a kind, or a part of one, of which it does not know where its pods are. */
  | 'ERR_KIND_NOT_JUDGED'
  /** The policies have not been read yet: nothing can be judged by them. */
  | 'ERR_POLICIES_UNKNOWN'
  /** What should be a pod, or its template, is none, or is larger than a limit. */
  | 'ERR_POD_INVALID';

/** The message says what is wrong and what to do next; it is shown to whoever made the request. */
export class AdmissionError extends Error {
  override readonly name = 'AdmissionError';
  readonly code: AdmissionErrorCode;

  constructor(code: AdmissionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
