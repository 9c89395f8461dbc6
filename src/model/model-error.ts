/** A fault of the installation, not of what a user wrote: the schemas that come with Trellis cannot be used. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code: 'ERR_CRD_INVALID' | 'ERR_CRD_RULE_UNKNOWN';

  constructor(code: ModelError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
