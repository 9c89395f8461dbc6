// The one place where logging is set up. Logs go to standard error: standard output is for results.

import { writeSync } from 'node:fs';
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyPrinter } from './pretty.ts';
import { redact, redactLine } from './redact.ts';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format?: 'json' | 'pretty' | 'auto';
  /** Where lines go, each with its newline; standard error by default. */
  readonly write?: (line: string) => void;
}

/** The process's logger. Everyone else gets a child of it: `componentLogger(logger, 'xds')`. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format = 'auto', write = writeStderr } = options;
  const terminal = process.stderr.isTTY === true;
  const pretty = format === 'pretty' || (format === 'auto' && terminal);
  // https://no-color.org
  const print = pretty ? prettyPrinter({ colors: terminal && !process.env['NO_COLOR'] }) : String;
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { log: redact },
      // Errors have been dealt with by `redact`; pino's own serializer would add them raw.
      serializers: { err: (value: unknown) => value },
    },
    { write: (json: string) => write(print(redactLine(json))) },
  );
}

/** A logger whose lines say which part of the program they come from. */
export function componentLogger(logger: Logger, component: string): Logger {
  return logger.child({ component });
}

/** Synchronous, so that the last words before an exit are not lost. A log that cannot be written is no reason to stop. */
function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // The reader has gone, or its pipe is full.
  }
}
