// Tells the user about a failure. Kept apart from main.ts so that what is printed can be tested for any error.

import { inspect } from 'node:util';
import { explainFailure } from './errors.ts';
import type { ExitCode } from './exit-codes.ts';
import { forTerminal } from './output.ts';

export interface ReportOptions {
  readonly write: (text: string) => void;
  /** Add the stack, with those of its causes. */
  readonly verbose: boolean;
}

/** Prints what is wrong and what to do, and returns the code to end with. */
export function report(error: unknown, { write, verbose }: ReportOptions): ExitCode {
  const { message, hint, exitCode } = explainFailure(error);
  write(`trellis: ${forTerminal(message)}\n`);
  if (hint !== undefined) write(`  ${forTerminal(hint)}\n`);
  if (verbose) write(`${inspect(error)}\n`);
  return exitCode;
}
