// Keys in a key management service are asked for once, and not once for each of a hundred images that wait for them.

import { withDeadline } from '../../signing/deadline.ts';
import { verificationDeadline } from '../../signing/verify/deadline.ts';

interface Attempt<T> {
  readonly outcome: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  isDone: boolean;
}

/**
 * The same outcome for all who ask, each of whom waits as long as it likes: the attempt is given up when nobody waits any more.
 * What failed or was given up is forgotten, so that whoever asks next tries again.
 */
export function resolveOnce<T>(
  resolve: (signal: AbortSignal) => Promise<T>,
): (signal: AbortSignal) => Promise<T> {
  let current: Attempt<T> | undefined;

  function forget(attempt: Attempt<T>): void {
    if (current === attempt) current = undefined;
  }

  function start(): Attempt<T> {
    const controller = new AbortController();
    const outcome = resolve(controller.signal);
    const attempt: Attempt<T> = { outcome, controller, waiting: 0, isDone: false };
    outcome.then(
      () => {
        attempt.isDone = true;
      },
      // All who wait hear of it, and the last of them forgets it.
      () => {},
    );
    return attempt;
  }

  return async (signal) => {
    signal.throwIfAborted();
    current ??= start();
    const attempt = current;
    attempt.waiting += 1;
    try {
      return await withDeadline(verificationDeadline(undefined), signal, () => attempt.outcome);
    } finally {
      attempt.waiting -= 1;
      if (attempt.waiting === 0 && !attempt.isDone) {
        forget(attempt);
        attempt.controller.abort(signal.reason);
      }
    }
  };
}
