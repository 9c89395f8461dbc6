import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCustomResourceDefinitions } from '../../../src/sources/crds.ts';

test('reads the definitions that ship, from whatever directory the program was started in', async () => {
  const definitions = (await readCustomResourceDefinitions()) as { kind: string }[];
  expect(definitions.map(({ kind }) => kind)).toEqual([
    'CustomResourceDefinition',
    'CustomResourceDefinition',
  ]);
});

test('reads another directory, and only its YAML', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-crds-'));
  await writeFile(join(directory, 'b.yaml'), 'b: 1');
  await writeFile(join(directory, 'a.yaml'), 'a: 1');
  await writeFile(join(directory, 'README.md'), '# x');
  expect(await readCustomResourceDefinitions(directory)).toEqual([{ a: 1 }, { b: 1 }]);
  await rm(directory, { recursive: true });
  await expect(readCustomResourceDefinitions(directory)).rejects.toThrow('ENOENT');
});
