// From what became of each image to the command's output and its end.

import { isNotFound } from '../../registry/errors.ts';
import { CliError, explainFailure } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { missingImageAdvice } from '../missing-image.ts';
import type { Outcome } from './batch.ts';

/** An image whose work failed before there was an answer. */
export interface FailureJson {
  readonly image: string;
  readonly ok: false;
  readonly error: { readonly code: string; readonly message: string };
}

export function failureJson(image: string, error: unknown): FailureJson {
  return { image, ok: false, error: { code: codeOf(error), message: explainFailure(error).message } };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'ERR_INTERNAL';
}

/**
 * Ends the command as its images did: with the only one's own error; with several, "no" goes before "could not be asked".
 * @param isGood whether the answer about an image is a yes
 */
export function conclude<T>(
  outcomes: readonly Outcome<T>[],
  isGood: (value: T) => boolean,
  messages: { readonly no: string },
): void {
  const errors = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const refused = outcomes.filter((outcome) => 'value' in outcome && !isGood(outcome.value));
  const isNo = (error: unknown) => explainFailure(error).exitCode === exitCodes.failure;
  if (refused.length > 0 || (outcomes.length > 1 && errors.some(isNo))) {
    throw new CliError('ERR_CHECK_FAILED', messages.no);
  }
  const [first] = errors;
  if (first === undefined) return;
  throw isNotFound(first) ? missingImage(first) : first;
}

/** Still not a "no": of what cannot be seen nothing is known. */
function missingImage(error: Error): CliError {
  return new CliError('ERR_NOT_ASKED', error.message, { hint: missingImageAdvice, cause: error });
}
