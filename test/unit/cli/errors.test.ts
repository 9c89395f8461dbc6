import { describe, expect, test } from 'vitest';
import { CliError, explainFailure } from '../../../src/cli/errors.ts';
import { exitCodeHelp, exitCodes } from '../../../src/cli/exit-codes.ts';
import { ToolError } from '../../../src/cli/tools/errors.ts';
import { TelemetryError } from '../../../src/telemetry/errors.ts';

describe('explainFailure', () => {
  test('an expected failure keeps its message and its hint', () => {
    expect(explainFailure(new CliError('ERR_CONFIGURATION', 'no policy', { hint: 'write one' }))).toEqual({
      exitCode: 78,
      message: 'no policy',
      hint: 'write one',
    });
  });

  test.each([
    [new TelemetryError('ERR_ADDRESS_IN_USE', 'taken'), exitCodes.unavailable],
    [new ToolError('ERR_TOOL_TOO_OLD', 'old'), exitCodes.unavailable],
    [new ToolError('ERR_CACHE_DIRECTORY', 'no'), exitCodes.cannotCreate],
    [Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }), exitCodes.noPermission],
    [Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }), exitCodes.cannotCreate],
  ])('%s is known and ends with %i', (error, exitCode) => {
    expect(explainFailure(error)).toEqual({ exitCode, message: error.message, hint: undefined });
  });

  test.each([
    [new TypeError('x is undefined\nsecond line'), 'unexpected error: TypeError: x is undefined'],
    [Object.assign(new Error('odd'), { code: 'ERR_INVALID_ARG_TYPE' }), 'unexpected error: Error: odd'],
    [Object.assign(new Error('odd'), { code: 'toString' }), 'unexpected error: Error: odd'],
    ['a string', 'unexpected error: a string'],
    [undefined, 'unexpected error: undefined'],
  ])('anything else is a defect, told on one line: %s', (error, message) => {
    expect(explainFailure(error)).toMatchObject({
      exitCode: exitCodes.internal,
      message,
      hint: expect.stringContaining('--verbose'),
    });
  });
});

test('every exit code is explained once, and no two mean the same', () => {
  const numbers = Object.values(exitCodes);
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const number of numbers) {
    expect(exitCodeHelp().match(new RegExp(`^ +${number}  \\w.*$`, 'gm'))).toHaveLength(1);
  }
});
