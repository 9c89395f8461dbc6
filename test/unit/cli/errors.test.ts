import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CliError, exitCodesByErrorClass, explainFailure } from '../../../src/cli/errors.ts';
import { exitCodeHelp, exitCodes, signingExitCode } from '../../../src/cli/exit-codes.ts';
import { ToolError } from '../../../src/cli/tools/errors.ts';
import { IdentityError } from '../../../src/identity/errors.ts';
import { PolicyError } from '../../../src/policy/errors.ts';
import { RegistryError } from '../../../src/registry/errors.ts';
import { SigningError } from '../../../src/signing/errors.ts';
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
    [new IdentityError('ERR_BUNDLE_INVALID', 'a trust bundle'), exitCodes.configuration],
    [new SigningError('ERR_SIGSTORE_BUNDLE_INVALID', 'a signature'), exitCodes.failure],
    [new SigningError('ERR_TIMESTAMP_NOT_VERIFIED', 'a time-stamp'), exitCodes.failure],
    [new RegistryError('ERR_JSON_INVALID', 'an answer'), exitCodes.failure],
    [new PolicyError('ERR_CONDITION_NAME', 'no such name'), exitCodes.usage],
    [new CliError('ERR_DEADLINE', 'too late'), exitCodes.registry],
    [Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }), exitCodes.noPermission],
    [Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }), exitCodes.cannotCreate],
  ])('%s is known and ends with %i', (error, exitCode) => {
    expect(explainFailure(error)).toEqual({ exitCode, message: error.message, hint: undefined });
  });

  test.each([
    [new TypeError('x is undefined\nsecond line'), 'unexpected error: TypeError: x is undefined'],
    [Object.assign(new Error('odd'), { code: 'ERR_INVALID_ARG_TYPE' }), 'unexpected error: Error: odd'],
    [Object.assign(new Error('odd'), { code: 'toString' }), 'unexpected error: Error: odd'],
    [Object.assign(new Error('odd'), { name: 'toString', code: 'call' }), 'unexpected error: toString: odd'],
    // A code counts only in the folder that it is of.
    [Object.assign(new Error('odd'), { code: 'ERR_BUNDLE_INVALID' }), 'unexpected error: Error: odd'],
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

describe('the tables', () => {
  test('give a code that two folders have one exit code', () => {
    const found = new Map<string, number>();
    for (const [name, table] of Object.entries(exitCodesByErrorClass)) {
      for (const [code, exitCode] of Object.entries(table)) {
        expect([name, code, found.get(code) ?? exitCode]).toEqual([name, code, exitCode]);
        found.set(code, exitCode);
      }
    }
    expect(found.size).toBeGreaterThan(70);
  });

  /** Handled where they arise: no command lets them through. */
  const inside = ['CryptoError', 'AuthzError', 'KubernetesError', 'CliError'];

  test('know the error class of every folder', async () => {
    const source = join(import.meta.dirname, '../../../src');
    const files = (await readdir(source, { recursive: true })).filter((file) =>
      /(^|\/)errors\.ts$/.test(file),
    );
    const names = await Promise.all(
      files.map(async (file) => {
        const exported = Object.values((await import(join(source, file))) as Record<string, unknown>);
        return exported.flatMap((each) =>
          typeof each === 'function' && each.prototype instanceof Error ? [each.name] : [],
        );
      }),
    );
    expect(names.flat().toSorted()).toEqual([...Object.keys(exitCodesByErrorClass), ...inside].toSorted());
  });
});

test('every exit code is explained once, and no two mean the same', () => {
  const numbers = Object.values(exitCodes);
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const number of numbers) {
    expect(exitCodeHelp().match(new RegExp(`^ +${number}  \\w.*$`, 'gm'))).toHaveLength(1);
  }
});

test('commands about signatures know four ends, and that of a defect', () => {
  const ends = new Set(Object.values(exitCodes).map(signingExitCode));
  expect([...ends].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 70]);
});
