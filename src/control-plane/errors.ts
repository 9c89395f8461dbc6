// What can go wrong when a control plane starts, as a closed set of codes.

export type ControlPlaneErrorCode =
  | 'ERR_LISTEN_ADDRESS_IN_USE'
  | 'ERR_LISTEN_ADDRESS_UNAVAILABLE'
  | 'ERR_LISTEN_ADDRESS_FORBIDDEN';

/** The message says what is wrong and what to do next. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError';
  readonly code: ControlPlaneErrorCode;

  constructor(code: ControlPlaneErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
