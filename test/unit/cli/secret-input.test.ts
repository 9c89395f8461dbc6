import { execFileSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readSecret } from '../../../src/cli/secret-input.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';

let path: string;
beforeEach(async () => {
  path = join(await temporaryDirectory(), 'secret');
});

describe.each(['ERR_USAGE', 'ERR_CONFIGURATION'] as const)('a secret whose fault is %s', (fault) => {
  const read = () => readSecret(path, { what: 'the secret', maxBytes: 10, fault });

  test('is read without the white space around it', async () => {
    await writeFile(path, ' a secret\n', { mode: 0o600 });
    expect(await read()).toBe('a secret');
  });

  test.each([
    ['is missing', async () => {}, /^the secret .*: there is no such file/],
    [
      'others can read',
      async () => {
        await writeFile(path, 'x');
        await chmod(path, 0o640);
      },
      /^the secret .* is open to others \(mode 640\).*run chmod 600/,
    ],
    ['is empty', () => writeFile(path, '\n', { mode: 0o600 }), /^the secret .* is empty/],
    ['is too long', () => writeFile(path, 'x'.repeat(11), { mode: 0o600 }), /larger than 10 bytes/],
    [
      'is a pipe without a writer',
      async () => void execFileSync('/usr/bin/env', ['mkfifo', '-m', '600', path]),
      /is not a regular file/,
    ],
  ])('and that %s', async (_, make, message) => {
    await make();
    await expect(read()).rejects.toMatchObject({ code: fault, message: expect.stringMatching(message) });
  });
});
