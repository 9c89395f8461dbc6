// What can go wrong in an agent, as a closed set of codes.

export type AgentErrorCode =
  | 'ERR_AGENT_JOIN_REFUSED'
  | 'ERR_AGENT_CONTROL_PLANE'
  | 'ERR_AGENT_CONTROL_PLANE_IDENTITY'
  /** It answered with something incomplete or wrong. */
  | 'ERR_AGENT_ANSWER'
  | 'ERR_AGENT_SOCKET_PATH'
  | 'ERR_AGENT_SOCKET_IN_USE';

/** The message says what is wrong and what to do next. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
