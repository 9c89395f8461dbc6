export type TelemetryErrorCode =
  | 'ERR_ADDRESS_IN_USE'
  | 'ERR_ADDRESS_UNAVAILABLE'
  | 'ERR_ADDRESS_FORBIDDEN'
  | 'ERR_LABEL_UNKNOWN';

/** Telemetry cannot do what it was asked to. The message says what to do about it. */
export class TelemetryError extends Error {
  override readonly name = 'TelemetryError';
  readonly code: TelemetryErrorCode;

  constructor(code: TelemetryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
