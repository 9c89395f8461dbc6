// Things that are asked of registries: each once for all who ask for it at the same time, when it is the turn of one of them.

import { createShare } from '../../sharing/shared-attempt.ts';
import type { Asker } from './asker.ts';
import type { Gate, Turn } from './gate.ts';

export interface TurnQuestion {
  /** Equal for what has one answer, and is asked with the same credentials. */
  readonly key: string;
  readonly registry: string;
  readonly asker: Asker;
  readonly signal: AbortSignal;
}

/**
 * Nothing is remembered.
 * @param ask its signal ends when nobody waits any more
 * @throws as `ask`; the signal's reason
 */
export type InTurn<T> = (question: TurnQuestion, ask: (signal: AbortSignal) => Promise<T>) => Promise<T>;

export function createSharedTurns<T>(gate: Gate): InTurn<T> {
  const share = createShare<T>();
  const turns = new Map<string, Turn<T>>();

  async function run(
    { key, registry }: TurnQuestion,
    ask: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const turn = gate.turn(registry, ask, signal);
    turns.set(key, turn);
    try {
      return await turn.outcome;
    } finally {
      // When all have left, another may have begun already.
      if (turns.get(key) === turn) turns.delete(key);
    }
  }

  return async (question, ask) => {
    const { key, asker, signal } = question;
    const outcome = share(key, signal, (shared) => run(question, () => ask(shared), shared));
    const withdraw = turns.get(key)?.ask(asker);
    try {
      return await outcome;
    } finally {
      withdraw?.();
    }
  };
}
