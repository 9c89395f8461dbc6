// What fails every other second for the same reason is said once a minute.

const everyMs = 60_000;
/** Reasons that take turns are each the same as before. */
const maxReasons = 16;

/**
 * Says why something failed: the message of the error, which says enough where nothing is wrong with the program.
 * @param monotonic milliseconds
 */
export function seldom(monotonic: () => number, say: (reason: string) => void): (error: unknown) => void {
  const saidMs = new Map<string, number>();
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    const nowMs = monotonic();
    const lastMs = saidMs.get(reason);
    if (lastMs !== undefined && nowMs - lastMs < everyMs) return;
    if (lastMs === undefined && saidMs.size >= maxReasons) saidMs.clear();
    saidMs.set(reason, nowMs);
    say(reason);
  };
}
