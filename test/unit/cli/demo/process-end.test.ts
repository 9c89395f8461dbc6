import { expect, test } from 'vitest';
import { describeEnd, withLog } from '../../../../src/cli/demo/process-end.ts';

const ended = { code: 1, signal: undefined, startError: undefined };

test('shows the end of the log', () => {
  const log = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`).join('\n');
  const { message, hint } = describeEnd('envoy gateway', ended, `${log}\n`);
  expect(message).toContain('envoy gateway ended with code 1');
  expect(message).toContain('line 30');
  expect(message).not.toContain('line 18\n');
  expect(hint).toContain('--state');
});

test.each([
  ["cannot bind '127.77.0.10:15008': Address already in use", /something else listens/],
  ['listen EADDRINUSE: address already in use', /something else listens/],
  ['Cannot assign requested address', /lo0 alias/],
  ['write ENOSPC: no space left on device', /disk is full/],
  ['accept EMFILE', /ulimit/],
  ['std::bad_alloc: Cannot allocate memory', /memory/],
])('%s', (line, hint) => {
  expect(describeEnd('envoy gateway', ended, `starting\n${line}\n`).hint).toMatch(hint);
});

test('a signal, and a program that could not be started', () => {
  const killed = describeEnd('agent gateway', { ...ended, code: undefined, signal: 'SIGKILL' }, '');
  expect(killed.message).toBe('agent gateway was ended by SIGKILL');
  const absent = describeEnd(
    'envoy gateway',
    { code: undefined, signal: undefined, startError: 'ENOENT' },
    '',
  );
  expect(absent.message).toBe('envoy gateway could not be started (ENOENT)');
});

test('of our own logs, what was wrong in words', () => {
  const log = [
    '{"level":30,"time":"…","msg":"the control plane serves"}',
    '{"level":50,"time":"…","msg":"policies/a.yaml:3:1: error: not valid YAML"}',
    '{"level":40,"time":"…","reason":"read ECONNRESET","msg":"no connection"}',
    '{"level":40,"time":"…","ms',
  ].join('\n');
  expect(withLog('it does not start', log).message).toBe(
    'it does not start; the end of its log:\n    policies/a.yaml:3:1: error: not valid YAML\n    no connection: read ECONNRESET\n    {"level":40,"time":"…","ms',
  );
});

test('an endless line is cut', () => {
  expect(describeEnd('envoy gateway', ended, 'x'.repeat(100_000)).message.length).toBeLessThan(1000);
});
