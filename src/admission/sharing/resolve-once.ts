// Keys in a key management service are asked for once, and not once for each of a hundred images that wait for them.

import { SharedAttempt } from './shared-attempt.ts';

/**
 * The same outcome for all who ask, each of whom waits as long as it likes: the attempt is given up when nobody waits any more.
 * What failed or was given up is forgotten, so that whoever asks next tries again.
 */
export function resolveOnce<T>(
  resolve: (signal: AbortSignal) => Promise<T>,
): (signal: AbortSignal) => Promise<T> {
  let current: SharedAttempt<T> | undefined;
  return async (signal) => {
    signal.throwIfAborted();
    if (current === undefined) {
      const attempt: SharedAttempt<T> = new SharedAttempt(resolve, (isDone) => {
        if (!isDone && current === attempt) current = undefined;
      });
      current = attempt;
    }
    return await current.join(signal);
  };
}
