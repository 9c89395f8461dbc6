import { expect } from 'vitest';
import { SigningError, type SigningErrorCode } from '../../../src/signing/errors.ts';

/** Demands that the operation fails with this code, for this reason. */
export async function failure(
  code: SigningErrorCode,
  operation: Promise<unknown> | (() => unknown),
  reason: RegExp,
): Promise<SigningError> {
  const error = await Promise.resolve()
    .then(() => (typeof operation === 'function' ? operation() : operation))
    .then(
      (value) => ({ value }),
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(SigningError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(reason) });
  return error as SigningError;
}
