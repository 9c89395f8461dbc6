export type ToolErrorCode =
  | 'ERR_TOOL_MISSING'
  | 'ERR_TOOL_NOT_EXECUTABLE'
  | 'ERR_TOOL_TOO_OLD'
  | 'ERR_TOOL_UNKNOWN_VERSION'
  | 'ERR_TOOL_INSTALL'
  | 'ERR_PYTHON_MISSING'
  | 'ERR_PYTHON_VENV_MISSING'
  | 'ERR_CACHE_DIRECTORY';

/** A program that Trellis starts is missing or unfit. The message says what to do about it. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly code: ToolErrorCode;

  constructor(code: ToolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
