import { expect, test } from 'vitest';
import { CliError } from '../../../src/cli/errors.ts';
import { report } from '../../../src/cli/report.ts';

function reported(error: unknown, verbose: boolean) {
  let stderr = '';
  const exitCode = report(error, { write: (text) => (stderr += text), verbose });
  return { exitCode, stderr };
}

test('an expected failure: what is wrong, then what to do', () => {
  const error = new CliError('ERR_UNAVAILABLE', 'no Envoy', { hint: 'install one' });
  expect(reported(error, false)).toEqual({ exitCode: 69, stderr: 'trellis: no Envoy\n  install one\n' });
});

test('a defect: one line and where to find more', () => {
  expect(reported(new RangeError('off by one'), false)).toEqual({
    exitCode: 70,
    stderr:
      'trellis: unexpected error: RangeError: off by one\n  --verbose shows the stack; please report it\n',
  });
});

test('--verbose adds the stack and the causes', () => {
  const error = new RangeError('off by one', { cause: new Error('root of it') });
  const { stderr } = reported(error, true);
  expect(stderr).toMatch(/\n +at /);
  expect(stderr).toContain('root of it');
});

test('what a message quotes cannot act on the terminal, and its lines stay lines', () => {
  const error = new CliError('ERR_CHECK_FAILED', 'refused:\n  \u001b[2J\u009b1m\u202egood', {
    hint: 'a\u0007b',
  });
  expect(reported(error, false).stderr).toBe(
    'trellis: refused:\n  \\u001b[2J\\u009b1m\\u202egood\n  a\\u0007b\n',
  );
});
