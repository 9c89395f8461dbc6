import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirectoryReader } from '../../../../src/sources/files/load.ts';
import { readUnchanged } from '../../../../src/sources/files/read.ts';
import { podYaml, replaceFile, temporaryDirectory } from './support.ts';

/** Clocks at which everything was written long ago; `pass` moves them on. */
function laterClocks() {
  let offset = 3_600_000;
  return {
    now: () => Date.now() + offset,
    monotonic: () => performance.now() + offset,
    pass: (milliseconds: number) => {
      offset += milliseconds;
    },
  };
}

const timing = { settleMs: 50 };

describe('DirectoryReader', () => {
  test('yields a snapshot, then nothing until something changes', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const reader = new DirectoryReader(directory, laterClocks(), timing);
    const first = await reader.look();
    expect(first).toMatchObject({ kind: 'snapshot', snapshot: { fileCount: 1, problems: [] } });
    expect(await reader.look()).toMatchObject({ kind: 'unchanged' });
    await writeFile(join(directory, 'README.md'), 'no manifest');
    expect(await reader.look()).toMatchObject({ kind: 'unchanged' });
    await replaceFile(join(directory, 'b.yaml'), podYaml('b'));
    const second = await reader.look();
    expect(second).toMatchObject({
      kind: 'snapshot',
      snapshot: { changed: new Set([join(directory, 'b.yaml')]) },
    });
  });

  test('keeps what it parsed of files that did not change', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const reader = new DirectoryReader(directory, laterClocks(), timing);
    const first = await reader.look();
    await writeFile(join(directory, 'b.yaml'), podYaml('b'));
    const second = await reader.look();
    if (first.kind !== 'snapshot' || second.kind !== 'snapshot') throw new Error('no snapshot');
    expect(second.snapshot.manifests[0]?.content).toBe(first.snapshot.manifests[0]?.content);
  });

  test('files that did not exist together are no snapshot', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a-old'));
    await writeFile(join(directory, 'b.yaml'), podYaml('b-old'));
    let disturb = true;
    const reader = new DirectoryReader(directory, laterClocks(), timing, async (path, signature) => {
      const result = await readUnchanged(path, signature);
      // When the last file has been read, the first one is no longer what was read of it.
      if (path.endsWith('b.yaml') && disturb) {
        disturb = false;
        await writeFile(join(directory, '.a.yaml'), podYaml('a-new'));
        await rename(join(directory, '.a.yaml'), join(directory, 'a.yaml'));
      }
      return result;
    });
    expect(await reader.look()).toMatchObject({ kind: 'unsettled' });
    const look = await reader.look();
    if (look.kind !== 'snapshot') throw new Error('no snapshot');
    expect(look.snapshot.manifests.map(({ content }) => content)).toMatchObject([
      { metadata: { name: 'a-new' } },
      { metadata: { name: 'b-old' } },
    ]);
  });

  test('a file that changes while it is read makes no snapshot', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const reader = new DirectoryReader(directory, laterClocks(), timing, async () => ({ changed: true }));
    expect(await reader.look()).toMatchObject({ kind: 'unsettled' });
  });

  test('what could not be read for lack of something is tried again, and told once', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    let fails = true;
    const reader = new DirectoryReader(directory, laterClocks(), timing, async (path, signature) =>
      fails ? { code: 'UnreadableFile', failure: 'cannot be read (EMFILE)' } : readUnchanged(path, signature),
    );
    expect(await reader.look()).toMatchObject({
      kind: 'snapshot',
      snapshot: { problems: [{ code: 'UnreadableFile' }] },
    });
    expect(await reader.look()).toMatchObject({ kind: 'unchanged' });
    fails = false;
    expect(await reader.look()).toMatchObject({ kind: 'snapshot', snapshot: { problems: [] } });
    expect(await reader.look()).toMatchObject({ kind: 'unchanged' });
  });

  test('counts how long the directory has been quiet from what it saw, whatever the file times say', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    let monotonic = 0;
    const reader = new DirectoryReader(
      directory,
      { now: () => Date.now() + 3_600_000, monotonic: () => monotonic },
      timing,
    );
    await writeFile(file, podYaml('a'));
    expect(await reader.look()).toMatchObject({ kind: 'snapshot', quietMs: 0 });
    monotonic += 900;
    expect(await reader.look()).toMatchObject({ kind: 'unchanged', quietMs: 900 });
    await unlink(file);
    monotonic += 900;
    expect(await reader.look()).toMatchObject({ kind: 'snapshot', quietMs: 0, snapshot: { fileCount: 0 } });
    // What is no manifest is a sign of life too.
    await writeFile(join(directory, 'README.md'), '');
    monotonic += 900;
    expect(await reader.look()).toMatchObject({ kind: 'unchanged', quietMs: 0 });
    monotonic += 400;
    expect(await reader.look()).toMatchObject({ kind: 'unchanged', quietMs: 400 });
    await rename(directory, `${directory}.away`);
    expect(await reader.look()).toMatchObject({ kind: 'failed' });
    await rename(`${directory}.away`, directory);
    monotonic += 900;
    expect(await reader.look()).toMatchObject({ quietMs: 0 });
  });

  test.each([
    ['paths: [/a]\n', false],
    ['{"a": [1]}', false],
    ['a: [1]', false],
    ['port: 80', true],
    ['a: |\n  text\n  more', true],
  ])('tells a file that ends in the middle of a line: %j', async (text, isCut) => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    await writeFile(file, text);
    const look = await new DirectoryReader(directory, laterClocks(), timing).look();
    expect(look).toMatchObject({ snapshot: { cutShort: new Set(isCut ? [file] : []) } });
  });

  test('a directory that is away is a failure', async () => {
    const reader = new DirectoryReader(join(await temporaryDirectory(), 'none'), laterClocks(), timing);
    expect(await reader.look()).toMatchObject({ kind: 'failed', problem: { code: 'UnreadableDirectory' } });
  });
});
