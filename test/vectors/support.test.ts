import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/control-plane.ts';
import { acvp, Tally, wycheproof } from './support.ts';

test('a vector file that is missing or empty is a failure', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'wycheproof'));
  await mkdir(join(directory, 'acvp/x'), { recursive: true });
  await expect(wycheproof('x', directory)).rejects.toThrow('ENOENT');
  await expect(acvp('x', directory)).rejects.toThrow('ENOENT');
  const group = { tests: [{ tcId: 1 }] };
  for (const [content, message] of [
    [{ numberOfTests: 0, testGroups: [] }, 'holds no vectors'],
    [{ numberOfTests: 1, testGroups: [group, { tests: [] }] }, 'holds no vectors'],
    [{ numberOfTests: 2, testGroups: [group] }, 'says it has 2 tests, has 1'],
  ] as const) {
    await writeFile(join(directory, 'wycheproof/x_test.json'), JSON.stringify(content));
    await expect(wycheproof('x', directory)).rejects.toThrow(message);
  }
  const files = ['prompt', 'expectedResults'].map((name) => join(directory, 'acvp/x', `${name}.json.gz`));
  for (const file of files) await writeFile(file, gzipSync('{"testGroups":[]}'));
  await expect(acvp('x', directory)).rejects.toThrow('holds no vectors');
});

test('a count of nothing is a failure, and so is a vector that nobody counted', () => {
  const tally = new Tally();
  expect(() => tally.expect({ run: 0 })).toThrow();
  tally.add('run');
  tally.expect({ run: 1 });
  expect(() => tally.expect({})).toThrow();
});
