// When it is a policy that nothing can be judged by: what it says, or refers to, is of no use. The judge of images and the status of the
// policy say it in the same words.

import type { Enforcement } from '../policy/enforcement.ts';
import { PolicyError } from '../policy/errors.ts';
import { SigningError, type SigningErrorCode } from '../signing/errors.ts';

/** Of what a policy says, or refers to: asked again, it is no better. */
const codesOfNoUse: ReadonlySet<SigningErrorCode> = new Set([
  'ERR_PUBLIC_KEY_INVALID',
  'ERR_VERIFICATION_POLICY_INVALID',
  'ERR_TRUSTED_ROOT_INVALID',
  'ERR_KMS_URI_INVALID',
]);

export function isOfNoUse(error: unknown): error is Error {
  return error instanceof PolicyError || (error instanceof SigningError && codesOfNoUse.has(error.code));
}

/**
 * @param name of what is required, as in "QuantumSecurityPolicy trading/images, rule 1"
 * @param why it is of no use
 * @param advice what to do about it
 */
export function noUse(name: string, why: string, enforcement: Enforcement, advice: string): string {
  const effect =
    enforcement === 'enforce'
      ? 'a policy that cannot be used lets no image in'
      : 'no image can meet a policy that cannot be used';
  return `${name}: ${why}; ${effect}: ${advice}`;
}
