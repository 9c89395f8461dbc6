import type { Deadline } from '../deadline.ts';
import { SigningError } from '../errors.ts';

/** For everything that must be known before there is a verdict about one image. @param milliseconds undefined: no deadline */
export function verificationDeadline(milliseconds: number | undefined): Deadline {
  return {
    milliseconds,
    error: () =>
      new SigningError(
        'ERR_VERIFICATION_DEADLINE',
        `the image could not be verified within ${milliseconds} ms: the registry or a key management service is slow, or there is too much on the image; try again, or allow more time`,
      ),
  };
}
