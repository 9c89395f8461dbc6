// Whether a process is ready: a list of named conditions, fixed at the start, all of which must hold.

export interface Condition {
  readonly name: string;
  readonly ready: boolean;
  /** Why it does not hold; absent when it does. */
  readonly reason?: string;
}

export interface Readiness<Name extends string> {
  /** The condition holds from now on. */
  ready(name: Name): void;
  /** The condition does not hold, for a reason an operator can act on. */
  notReady(name: Name, reason: string): void;
  conditions(): readonly Condition[];
}

/** No condition holds until it has been reported: a part that never starts keeps the process unready. */
export function createReadiness<const Name extends string>(
  names: readonly [Name, ...Name[]],
): Readiness<Name> {
  const state = new Map<Name, Condition>(
    names.map((name) => [name, { name, ready: false, reason: 'not reported yet' }]),
  );
  return {
    ready: (name) => void state.set(name, { name, ready: true }),
    notReady: (name, reason) => void state.set(name, { name, ready: false, reason }),
    conditions: () => [...state.values()],
  };
}
