/** Why the webhook server cannot start. The names are stable. */
export type WebhookServerErrorCode =
  | 'ERR_WEBHOOK_ADDRESS_IN_USE'
  | 'ERR_WEBHOOK_ADDRESS_UNAVAILABLE'
  | 'ERR_WEBHOOK_ADDRESS_FORBIDDEN'
  /** A certificate and key that TLS does not take. */
  | 'ERR_WEBHOOK_CERTIFICATE';

/** The message says what is wrong and what to do next. */
export class WebhookServerError extends Error {
  override readonly name = 'WebhookServerError';
  readonly code: WebhookServerErrorCode;

  constructor(code: WebhookServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
