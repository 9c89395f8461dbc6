// Problems of files and directories rather than of what is in them.

import type { Problem, ProblemCode } from '../../model/problem.ts';

/** An error about a file; lines and columns count from 1. */
export function fileError(code: ProblemCode, file: string, message: string, line = 1, column = 1): Problem {
  return { severity: 'error', code, message, object: undefined, origin: { file, line, column } };
}

export function directoryProblem(severity: Problem['severity'], code: ProblemCode, message: string): Problem {
  return { severity, code, message, object: undefined, origin: undefined };
}

/** The code of a system error (`ENOENT`), for decisions and messages. */
export function errorCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : String(cause);
}
