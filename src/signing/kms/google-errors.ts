// What the Google SDK throws, as errors of this folder.

import { SigningError } from '../errors.ts';
import { firstLine, kmsKeyError } from './service.ts';

/** The codes of google.rpc.Code that are told apart. */
export const rpcCode = {
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  alreadyExists: 6,
  failedPrecondition: 9,
  unimplemented: 12,
  unauthenticated: 16,
} as const;

/** Of `data` in a request to sign; larger ones need a key that signs μ. */
const maxMessageBytes = 64 * 1024;

/** @param messageLength of a request to sign with a key that signs whole messages */
export function explained(error: unknown, name: string, messageLength = 0): SigningError {
  if (error instanceof SigningError) return error;
  const text = `Google KMS, key ${name}: ${firstLine(error)}`;
  const code = codeOf(error);
  if (code === rpcCode.unauthenticated || /default credentials|invalid_grant/i.test(firstLine(error))) {
    return new SigningError(
      'ERR_KMS_CREDENTIALS',
      `${text}; run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS`,
      error,
    );
  }
  if (code === rpcCode.invalidArgument && messageLength > maxMessageBytes) {
    return kmsKeyError(
      `${text}; to sign more than ${maxMessageBytes} bytes, create a key of an …_EXTERNAL_MU algorithm with gcloud`,
      error,
    );
  }
  const refused: readonly unknown[] = Object.values(rpcCode);
  if (refused.includes(code)) return kmsKeyError(`${text}; check the key's state and permissions`, error);
  return new SigningError('ERR_KMS_UNAVAILABLE', `${text}; try again`, error);
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

export function damaged(name: string): SigningError {
  return new SigningError(
    'ERR_KMS_UNAVAILABLE',
    `Google KMS, key ${name}: the checksums show that something was damaged or exchanged on the way; try again`,
  );
}
