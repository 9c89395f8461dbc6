import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { briefMs, type OpenCall, OpenCalls } from '../../../src/grpc/open-calls.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';

class Recorder implements OpenCall {
  place: number | undefined = undefined;
  timed = 0;
  ended = 0;

  startTimers(): void {
    this.timed += 1;
  }

  end(): void {
    this.ended += 1;
  }
}

const reason = new GrpcError(status.unavailable, 'over');

/** Adds, deletes and lets time pass; remembers what must come of it. */
class Traffic {
  readonly open = new OpenCalls();
  readonly left = new Set<Recorder>();
  readonly gone: Recorder[] = [];

  step(kind: 'brief' | 'long' | 'endless' | 'delete' | 'pass', number: number): void {
    if (kind === 'pass') vi.advanceTimersByTime(number % briefMs);
    else if (kind === 'delete') this.#delete([...this.left][number % Math.max(this.left.size, 1)]);
    else this.#add(kind);
  }

  #add(kind: 'brief' | 'long' | 'endless'): void {
    const call = new Recorder();
    this.left.add(call);
    if (kind === 'brief') this.open.addBrief(call);
    else this.open.add(call, kind === 'endless');
  }

  #delete(call: Recorder | undefined): void {
    if (call === undefined) return;
    this.open.delete(call);
    this.left.delete(call);
    this.gone.push(call);
  }
}

describe('OpenCalls', () => {
  const kinds = ['brief', 'brief', 'long', 'endless', 'delete', 'delete', 'pass'] as const;
  const steps = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(1000)), { maxLength: 40, size: 'max' });

  test('tells all that are open, each once, and none that has been deleted, whatever came and went', () => {
    vi.useFakeTimers();
    fc.assert(
      fc.property(steps, (all) => {
        const traffic = new Traffic();
        for (const [kind, number] of all) traffic.step(kind, number);
        traffic.open.endAll(reason);
        expect([...traffic.left].every(({ ended }) => ended === 1)).toBe(true);
        expect(traffic.gone.every(({ ended }) => ended === 0)).toBe(true);
      }),
    );
    vi.useRealTimers();
  });

  test('a brief call that stays watches its time, one that is over by then never does', () => {
    vi.useFakeTimers();
    const open = new OpenCalls();
    const [stays, leaves, later] = [new Recorder(), new Recorder(), new Recorder()];
    open.addBrief(stays);
    open.addBrief(leaves);
    open.delete(leaves);
    vi.advanceTimersByTime(briefMs);
    open.addBrief(later);
    vi.advanceTimersByTime(briefMs);
    vi.useRealTimers();
    expect([stays, leaves, later].map(({ timed }) => timed)).toEqual([1, 0, 1]);
  });

  test('endless calls are told first', () => {
    const open = new OpenCalls();
    const [endless, long] = [new Recorder(), new Recorder()];
    open.add(endless, true);
    open.add(long, false);
    open.endEndless(reason);
    expect([endless.ended, long.ended]).toEqual([1, 0]);
  });
});
