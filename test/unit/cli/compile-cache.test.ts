import { chmodSync, chownSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keepCompiledCode } from '../../../src/cli/compile-cache.ts';

function cache(): string {
  const directory = mkdtempSync(join(tmpdir(), 'trellis-compiled-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What would be used, without switching it on in the process of the tests. */
function keep(TRELLIS_CACHE: string) {
  let enabled: string | undefined;
  const result = keepCompiledCode({ TRELLIS_CACHE }, (directory) => {
    enabled = directory;
  });
  expect(result).toBe(enabled);
  return enabled;
}

test('keeps compiled code in a directory that only this user may use', () => {
  const directory = keep(cache());
  expect(directory).toBeDefined();
  expect(statSync(directory ?? '').mode & 0o777).toBe(0o700);
});

test.each([0o777, 0o770])('not where others may write (%o): they could plant code', (mode) => {
  const root = cache();
  mkdirSync(join(root, 'compiled'));
  chmodSync(join(root, 'compiled'), mode);
  expect(keep(root)).toBeUndefined();
});

test('does without where there can be no directory', () => {
  const root = cache();
  writeFileSync(join(root, 'compiled'), '');
  expect(keep(root)).toBeUndefined();
  expect(keep('relative')).toBeUndefined();
});

// Only root can give files away.
test.runIf(process.getuid?.() === 0)('not in a directory of another user, who could plant code', () => {
  const root = cache();
  mkdirSync(join(root, 'compiled'), { mode: 0o700 });
  chownSync(join(root, 'compiled'), 12_345, 12_345);
  expect(keep(root)).toBeUndefined();
});
