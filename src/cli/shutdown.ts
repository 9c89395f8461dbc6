// How a long-running command learns that it should stop.

import { constants } from 'node:os';

/** Signals that ask for an orderly end: Ctrl-C, a service manager, a closed terminal. */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type StopSignal = (typeof stopSignals)[number];

/**
 * One Ctrl-C arrives several times when npm or bin/trellis.js stand between the terminal and us, because they pass it on
 * and the terminal sends it to all of us. Only a later one means that the user has lost patience.
 */
export const impatienceMs = 1000;

/** The part of `process` this needs. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  exit(code: number): void;
}

export interface StopRequest {
  /** Aborted by the first stop signal; its reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Gives the signals their default effect back. */
  release(): void;
}

/** Listens for stop signals. A second one, `impatienceMs` or more after the first, ends the process at once. */
export function onStopSignal(
  source: SignalSource = process,
  now: () => number = () => performance.now(),
): StopRequest {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const listener = (signal: StopSignal): void => {
    if (firstAt === undefined) {
      firstAt = now();
      controller.abort(signal);
    } else if (now() - firstAt >= impatienceMs) {
      source.exit(128 + constants.signals[signal]);
    }
  };
  for (const signal of stopSignals) source.on(signal, listener);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of stopSignals) source.off(signal, listener);
    },
  };
}

/** Resolves when `signal` aborts. */
export function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
