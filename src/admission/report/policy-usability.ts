// Whether policies can be used, as the leader knows it: found out for each version, and again from time to time, since what a policy refers
// to changes without it.

import type { Policy } from '../../model/mesh.ts';
import type { Clock } from '../../sources/kubernetes/clock.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import type { Usability } from '../images/policies/usability.ts';

export interface UsabilityLimits {
  /** Until one that can be used is checked again; keys are used as long before they are asked for again. */
  readonly usableMs: number;
  /** Until any other is: a ConfigMap that was missing may be there. */
  readonly otherMs: number;
  /** For one policy. */
  readonly checkMs: number;
  /** After so long those that are left wait for the next round, and what is known is written. */
  readonly refreshMs: number;
}

export const defaultUsabilityLimits: UsabilityLimits = {
  usableMs: 5 * 60_000,
  otherMs: 30_000,
  checkMs: 5_000,
  refreshMs: 2_000,
};

/** @throws the reason of `signal` */
export type FindUsability = (policy: Policy, signal: AbortSignal) => Promise<Usability>;

export interface PolicyUsabilityOptions {
  readonly find: FindUsability;
  /** Asked before each. */
  readonly goesOn: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly limits: UsabilityLimits;
}

interface Kept {
  readonly generation: number;
  readonly usability: Usability;
  /** On the clock that only goes forward. */
  readonly atMs: number;
}

export class PolicyUsability {
  readonly #options: PolicyUsabilityOptions;
  /** By uid. */
  readonly #kept = new Map<string, Kept>();

  constructor(options: PolicyUsabilityOptions) {
    this.#options = options;
  }

  /** Of that generation; undefined: it was not found out yet. */
  of({ uid, generation }: PolicyVerdict): Usability | undefined {
    const kept = this.#kept.get(uid);
    return kept?.generation === generation ? kept.usability : undefined;
  }

  /** Checks those that are due, one after the other, the one that waits longest first. Never rejects. */
  async refresh(all: readonly PolicyVerdict[]): Promise<void> {
    const { clock, goesOn, limits } = this.#options;
    const uids = new Set(all.map(({ uid }) => uid));
    for (const uid of this.#kept.keys()) if (!uids.has(uid)) this.#kept.delete(uid);
    const startedMs = clock.monotonic();
    const checkedMs = ({ uid }: PolicyVerdict) => this.#kept.get(uid)?.atMs ?? Number.MIN_SAFE_INTEGER;
    const due = all.filter((verdict) => this.#isDue(verdict)).toSorted((a, b) => checkedMs(a) - checkedMs(b));
    for (const verdict of due) {
      if (!goesOn() || clock.monotonic() - startedMs >= limits.refreshMs) return;
      await this.#check(verdict);
    }
  }

  #isDue(verdict: PolicyVerdict): boolean {
    const { clock, limits } = this.#options;
    const usability = this.of(verdict);
    if (verdict.policy === undefined) return false;
    if (usability === undefined) return true;
    const ageMs = clock.monotonic() - (this.#kept.get(verdict.uid)?.atMs ?? 0);
    return ageMs >= (usability.kind === 'usable' ? limits.usableMs : limits.otherMs);
  }

  async #check(verdict: PolicyVerdict): Promise<void> {
    const { clock, find, signal, limits } = this.#options;
    const { uid, generation, policy } = verdict;
    if (policy === undefined) return;
    let found: Usability;
    try {
      found = await find(policy, AbortSignal.any([signal, AbortSignal.timeout(limits.checkMs)]));
    } catch (error) {
      found = { kind: 'unknown', error };
    }
    if (signal.aborted) return;
    // What could not be asked now was not taken back.
    const usability = found.kind === 'unknown' ? (this.of(verdict) ?? found) : found;
    this.#kept.set(uid, { generation, usability, atMs: clock.monotonic() });
  }
}
