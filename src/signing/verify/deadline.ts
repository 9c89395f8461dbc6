// A verification ends in time, whatever a registry does: also when whoever waits for the registry does not stop by itself.

import { SigningError } from '../errors.ts';

/**
 * Runs something that is told when to stop, and does not wait for it any longer then.
 * @param deadlineMs undefined: no deadline
 * @throws SigningError ERR_VERIFICATION_DEADLINE; the caller's abort reason
 */
export async function withDeadline<T>(
  deadlineMs: number | undefined,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stopped = Promise.withResolvers<never>();
  const stop = (reason: unknown) => {
    controller.abort(reason);
    stopped.reject(reason);
  };
  const onAbort = () => stop(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = deadlineMs === undefined ? undefined : setTimeout(() => stop(passed(deadlineMs)), deadlineMs);
  try {
    return await Promise.race([run(controller.signal), stopped.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function passed(deadlineMs: number): SigningError {
  return new SigningError(
    'ERR_VERIFICATION_DEADLINE',
    `the image could not be verified within ${deadlineMs} ms: the registry is slow, or there is too much on the image; try again, or allow more time`,
  );
}
