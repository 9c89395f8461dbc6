// Waiting ends in time, whatever the other side does.

export interface Deadline {
  /** Undefined: none. */
  readonly milliseconds: number | undefined;
  /** What is thrown when the time is over. */
  readonly error: () => Error;
}

/**
 * Runs something that is told when to stop, and does not wait for it any longer then: not everything that is given a signal
 * listens to it.
 * @throws the deadline's error; the caller's abort reason
 */
export async function withDeadline<T>(
  { milliseconds, error: tooLate }: Deadline,
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
  const timer = milliseconds === undefined ? undefined : setTimeout(() => stop(tooLate()), milliseconds);
  try {
    return await Promise.race([run(controller.signal), stopped.promise]);
  } catch (error) {
    // Whatever comes of being stopped: why it was is what matters.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
