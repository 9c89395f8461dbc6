// How long a judgement may take: the API server says how long it waits, in the query.

/** What webhook configurations have when they say nothing (admissionregistration.k8s.io/v1, timeoutSeconds). */
const defaultTimeoutMs = 10_000;
/** The most that they may have. */
export const maxTimeoutMs = 30_000;
/** API servers round up to whole seconds what is left of the time that their own client gave them. */
const roundingMs = 1_000;
/** For the way back, and for saying why there is no judgement. */
const answerMs = 500;

export interface Deadline {
  /** From now on: then what is not known must be said to be unknown. */
  readonly judgeMs: number;
  /** Then the server speaks for whoever should have. */
  readonly answerMs: number;
}

/** @param timeout as in `?timeout=10s`; what is not understood counts as not said */
export function deadlineOf(timeout: unknown): Deadline {
  const seconds =
    typeof timeout === 'string' && /^[1-9]\d{0,2}s$/.test(timeout) ? Number.parseInt(timeout, 10) : 0;
  const givenMs = Math.min(seconds === 0 ? defaultTimeoutMs : seconds * 1_000, maxTimeoutMs);
  // Of a short time, half: it may be that little more is left.
  const judgeMs = Math.max(givenMs - roundingMs - answerMs, givenMs / 2);
  return { judgeMs, answerMs: judgeMs + answerMs / 2 };
}
