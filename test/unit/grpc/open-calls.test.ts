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

describe('OpenCalls', () => {
  test('tells all that are open, each once, and none that has been deleted, whatever came and went', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('brief', 'long', 'endless'), fc.nat(20)), { maxLength: 60 }),
        (steps) => {
          vi.useFakeTimers();
          const open = new OpenCalls();
          const calls: Recorder[] = [];
          const deleted = new Set<Recorder>();
          for (const step of steps) {
            if (typeof step === 'number') {
              const call = calls[step % Math.max(calls.length, 1)];
              if (call === undefined || deleted.has(call)) vi.advanceTimersByTime(step);
              else {
                open.delete(call);
                deleted.add(call);
              }
              continue;
            }
            const call = new Recorder();
            calls.push(call);
            if (step === 'brief') open.addBrief(call);
            else open.add(call, step === 'endless');
          }
          open.endAll(reason);
          expect(calls.map(({ ended }) => ended)).toEqual(calls.map((call) => (deleted.has(call) ? 0 : 1)));
          vi.useRealTimers();
        },
      ),
    );
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
