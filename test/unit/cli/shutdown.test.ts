import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { impatienceMs, onStopSignal } from '../../../src/cli/shutdown.ts';

class FakeProcess extends EventEmitter {
  exited: number | undefined;
  exit(code: number): void {
    this.exited = code;
  }
  send(signal: NodeJS.Signals): void {
    this.emit(signal, signal);
  }
}

function listening() {
  const source = new FakeProcess();
  const clock = { ms: 0 };
  return { source, clock, stop: onStopSignal(source, () => clock.ms) };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s asks to stop', (signal) => {
  const { source, stop } = listening();
  expect(stop.signal.aborted).toBe(false);
  source.send(signal);
  expect(stop.signal.aborted).toBe(true);
  expect(stop.signal.reason).toBe(signal);
  expect(source.exited).toBeUndefined();
});

test('the same Ctrl-C arriving twice is one', () => {
  const { source, clock } = listening();
  source.send('SIGINT');
  clock.ms = impatienceMs - 1;
  source.send('SIGINT');
  expect(source.exited).toBeUndefined();
});

test('a second one later ends the process at once', () => {
  const { source, clock } = listening();
  source.send('SIGINT');
  clock.ms = impatienceMs;
  source.send('SIGINT');
  expect(source.exited).toBe(130);
});

test('after release signals have their default effect again', () => {
  const { source, stop } = listening();
  stop.release();
  source.send('SIGTERM');
  expect(stop.signal.aborted).toBe(false);
  expect(source.eventNames()).toEqual([]);
});
