import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readManifestFiles, refuseTwoStreams } from '../../../src/cli/manifest-files.ts';
import { workspace } from './admission/support.ts';

const files = await workspace();
const object = (name: string) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}}`;
const pathsOf = (read: Awaited<ReturnType<typeof readManifestFiles>>) => read.map(({ path }) => path);

describe('a directory', () => {
  test('is its files with manifests, sorted, those below it too, without policy tests', async () => {
    for (const name of ['b.yaml', 'a.yml', 'c.json', 'd.txt', 'e.test.yaml', 'below/f.yaml']) {
      await files.write(`all/${name}`, object(name));
    }
    const read = await readManifestFiles('the manifest', [files.path('all'), files.path('all/d.txt')]);
    expect(pathsOf(read)).toEqual(
      ['a.yml', 'b.yaml', 'below/f.yaml', 'c.json', 'd.txt'].map((name) => join(files.path('all'), name)),
    );
  });

  test('without manifests is an error', async () => {
    await files.write('none/a.test.yaml', object('a'));
    await expect(readManifestFiles('the manifest', [files.path('none')])).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: `the manifest ${files.path('none')}: the directory holds no *.yaml, *.yml or *.json`,
    });
  });
});

describe('a file', () => {
  test.each([
    ['that is empty', '', /empty\.yaml is empty/],
    ['that is no YAML', 'a: b: c', /:1:\d+: error: not valid YAML/],
  ])('%s', async (_, content, message) => {
    const path = await files.write('empty.yaml', content);
    await expect(readManifestFiles('the manifest', [path])).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringMatching(message),
    });
  });

  test('that is not there', async () => {
    await expect(readManifestFiles('the manifest', [files.path('nope')])).rejects.toThrow(
      'there is no such file',
    );
  });

  test('of comments holds nothing', async () => {
    const path = await files.write('comment.yaml', '# nothing');
    expect(await readManifestFiles('the manifest', [path])).toEqual([{ path, manifests: [] }]);
  });
});

test('standard input cannot be two of them', () => {
  expect(() => refuseTwoStreams(['-', 'a', 'b'])).not.toThrow();
  expect(() => refuseTwoStreams(['-', 'a', '-'])).toThrow('can be read once only');
});
