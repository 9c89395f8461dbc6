// Why a check cannot be decided, as a closed set of codes.

export type AuthzErrorCode =
  /** Bytes that are not the expected protobuf message, or a message without what it must have. */
  | 'ERR_AUTHZ_MALFORMED'
  /** Over a limit. */
  | 'ERR_AUTHZ_TOO_LARGE'
  /** There are no rules to decide by yet, or none that can be used. */
  | 'ERR_AUTHZ_NO_POLICY'
  /** An authorization policy with something in it that this version does not know how to enforce. */
  | 'ERR_AUTHZ_POLICY';

/** The message never quotes what was received. */
export class AuthzError extends Error {
  override readonly name = 'AuthzError';
  readonly code: AuthzErrorCode;

  constructor(code: AuthzErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
