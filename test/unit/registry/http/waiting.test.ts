import { expect, test } from 'vitest';
import { createWaiting } from '../../../../src/registry/http/waiting.ts';

test('ends with the last of those who wait, and not before', () => {
  const waiting = createWaiting();
  const leave = [waiting.enter('a.example'), waiting.enter('a.example')];
  const signal = waiting.signalOf('a.example');
  leave[1]?.();
  expect(signal.aborted).toBe(false);
  leave[0]?.();
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toMatchObject({ name: 'AbortError' });
});

test('has ended where nobody waits', () => {
  const waiting = createWaiting();
  expect(waiting.signalOf('a.example').aborted).toBe(true);
  waiting.enter('a.example')();
  expect(waiting.signalOf('a.example').aborted).toBe(true);
});

test('whoever comes after the last is waited for anew', () => {
  const waiting = createWaiting();
  waiting.enter('a.example')();
  const leave = waiting.enter('a.example');
  const signal = waiting.signalOf('a.example');
  expect(signal.aborted).toBe(false);
  leave();
  expect(signal.aborted).toBe(true);
});

test('one host is nothing to another', () => {
  const waiting = createWaiting();
  waiting.enter('b.example');
  const leave = waiting.enter('a.example');
  const signal = waiting.signalOf('b.example');
  leave();
  expect(signal.aborted).toBe(false);
});
