// So many at the same time, and the others in the order they came.

export interface Slots {
  /** Runs the task when there is a slot for it. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting = new Set<() => void>();

  async function take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    waiting.add(turn.resolve);
    const giveUp = (): void => {
      // When the slot was handed over already, the task sees its signal, and gives it back.
      if (waiting.delete(turn.resolve)) turn.reject(signal?.reason);
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    await turn.promise;
    signal?.removeEventListener('abort', giveUp);
  }

  function release(): void {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    run: async (task, signal) => {
      await take(signal);
      try {
        return await task();
      } finally {
        release();
      }
    },
  };
}
