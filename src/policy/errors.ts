// What can be wrong with a policy beyond its schema, as a closed set of codes.

export type PolicyErrorCode =
  /** A condition that is no CEL expression. */
  | 'ERR_CONDITION_SYNTAX'
  /** A condition reads something that does not exist, or not here. */
  | 'ERR_CONDITION_NAME'
  /** A condition compares or uses things in a way that can never be true. */
  | 'ERR_CONDITION_TYPE'
  /** A condition could cost more time than it may take. */
  | 'ERR_CONDITION_COST';

/** The message says what is wrong and what to write instead; it is shown to whoever wrote the policy. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly code: PolicyErrorCode;

  constructor(code: PolicyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
