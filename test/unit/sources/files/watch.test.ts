// The file source against real directories and real file system events.

import {
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { maxFileBytes } from '../../../../src/sources/files/limits.ts';
import { makePipe, podYaml, replaceFile, temporaryDirectory, until, watched } from './support.ts';

/** The safety net out of reach: what these tests see must have come by events. */
const eventsOnly = { pollMs: 3_600_000 };

describe('a change takes effect', () => {
  test('when a file is written, changed in place, and removed', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.pods()).toEqual(['a']);

    await writeFile(join(directory, 'b.yaml'), podYaml('b'));
    await until(() => mesh.pods().join() === 'a,b');
    await writeFile(join(directory, 'b.yaml'), podYaml('c'));
    await until(() => mesh.pods().join() === 'a,c');
    await unlink(join(directory, 'b.yaml'));
    await until(() => mesh.pods().join() === 'a');
    expect(mesh.reports).toEqual([]);
  });

  test('when a file is replaced by renaming, as editors do, also by one with an older time and the same size', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    await writeFile(file, podYaml('a'));
    const mesh = await watched(directory, eventsOnly);

    await writeFile(`${file}~`, podYaml('b'));
    await utimes(`${file}~`, 1, 1);
    await rename(`${file}~`, file);
    await until(() => mesh.pods().join() === 'b');

    // vim: the old file becomes the backup, a new one takes its name.
    await rename(file, `${file}~`);
    await writeFile(file, podYaml('c'));
    await unlink(`${file}~`);
    await until(() => mesh.pods().join() === 'c');
  });

  test('when a file is renamed, or stops being a manifest', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    await writeFile(join(directory, 'b.yaml'), podYaml('b'));
    const mesh = await watched(directory, eventsOnly);
    const before = mesh.current();
    await rename(join(directory, 'a.yaml'), join(directory, 'z.yml'));
    await rename(join(directory, 'b.yaml'), join(directory, 'b.disabled'));
    await until(() => mesh.pods().join() === 'a');
    expect(mesh.current()?.workloads.get('trading/a')).toBe(before?.workloads.get('trading/a'));
  });

  test('in directories below, also new ones', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'x/y'), { recursive: true });
    await writeFile(
      join(directory, 'x/y/a.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: {} }),
    );
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.pods()).toEqual(['a']);

    await mkdir(join(directory, 'new/deep'), { recursive: true });
    await writeFile(join(directory, 'new/deep/b.yaml'), podYaml('b'));
    await until(() => mesh.pods().includes('b'));
    await replaceFile(join(directory, 'new/deep/b.yaml'), podYaml('c'));
    await until(() => mesh.pods().includes('c'));
    await rm(join(directory, 'new'), { recursive: true });
    await until(() => mesh.pods().join() === 'a');
  });

  test('however little time lies between a new directory and the file in it', async () => {
    const directory = await temporaryDirectory();
    // Without any delay, looks fall before, between and after the two.
    const mesh = await watched(directory, { ...eventsOnly, settleMs: 0, debounceMs: 0, lossSettleMs: 0 });
    for (let round = 0; round < 40; round++) {
      await mkdir(join(directory, `d${round}`));
      await new Promise((resolve) => setTimeout(resolve, round % 4));
      await writeFile(join(directory, `d${round}/a.yaml`), podYaml(`p${round}`));
      await until(() => mesh.pods().includes(`p${round}`));
    }
  });

  test('also when it comes while the directory is being looked at', async () => {
    const directory = await temporaryDirectory();
    // Many files make a look take long, and the file that is listed first is the one whose change it misses most easily.
    for (let index = 0; index < 400; index++)
      await writeFile(join(directory, `${index}.yaml`), '# nothing\n');
    const [first = ''] = await readdir(directory);
    const mesh = await watched(directory, { ...eventsOnly, settleMs: 0, debounceMs: 0, lossSettleMs: 0 });
    for (let round = 0; round < 30; round++) {
      await replaceFile(join(directory, 'a.yaml'), podYaml(`a${round}`));
      await new Promise((resolve) => setTimeout(resolve, round));
      await writeFile(join(directory, first), podYaml(`b${round}`));
      await until(() => mesh.pods().join() === `a${round},b${round}`);
    }
  });

  test('when a ConfigMap volume swaps its ..data link, all files at once', async () => {
    const directory = await temporaryDirectory();
    const fill = async (version: string, text: string) => {
      await mkdir(join(directory, version, 'sub'), { recursive: true });
      await writeFile(join(directory, version, 'a.yaml'), podYaml(`a${text}`));
      await writeFile(join(directory, version, 'b.yaml'), podYaml(`b${text}`));
      await writeFile(join(directory, version, 'sub/c.yaml'), podYaml(`c${text}`));
    };
    await fill('..1', '1');
    await symlink('..1', join(directory, '..data'));
    for (const name of ['a.yaml', 'b.yaml', 'sub']) await symlink(`..data/${name}`, join(directory, name));
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.pods()).toEqual(['a1', 'b1', 'c1']);

    await fill('..2', '2');
    await symlink('..2', join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    await rm(join(directory, '..1'), { recursive: true });
    await until(() => mesh.pods().includes('a2'));
    expect(mesh.pods()).toEqual(['a2', 'b2', 'c2']);
    expect(mesh.states).toHaveLength(1);

    // The new directory behind the link is watched as well.
    await replaceFile(join(directory, '..2/sub/c.yaml'), podYaml('c3'));
    await until(() => mesh.pods().includes('c3'));
  });

  test('when the directory is a link that is turned elsewhere', async () => {
    const parent = await temporaryDirectory();
    for (const name of ['one', 'two']) {
      await mkdir(join(parent, name));
      await writeFile(join(parent, name, 'a.yaml'), podYaml(name));
    }
    await symlink('one', join(parent, 'current'));
    const mesh = await watched(join(parent, 'current'), eventsOnly);
    expect(mesh.pods()).toEqual(['one']);
    await symlink('two', join(parent, 'next'));
    await rename(join(parent, 'next'), join(parent, 'current'));
    await until(() => mesh.pods().join() === 'two');
  });

  test('by polling, where there are no events', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    await writeFile(file, podYaml('a'));
    // A hard link elsewhere changes the file without an event in its directory.
    const outside = await temporaryDirectory();
    await link(file, join(outside, 'link'));
    const mesh = await watched(directory, { pollMs: 20 });
    await writeFile(join(outside, 'link'), podYaml('b'));
    await until(() => mesh.pods().join() === 'b');
  });

  test('and nothing more after the end', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, { pollMs: 10 });
    const other = await watched(directory, { pollMs: 10 });
    mesh.stop();
    await replaceFile(join(directory, 'a.yaml'), podYaml('b'));
    await until(() => other.pods().join() === 'b');
    expect(mesh.pods()).toEqual(['a']);
    expect(mesh.states).toEqual([]);
  });

  test('for those who still listen', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    let calls = 0;
    const unsubscribe = mesh.onChange(() => calls++);
    unsubscribe();
    await replaceFile(join(directory, 'a.yaml'), podYaml('b'));
    await until(() => mesh.states.length === 1);
    expect(mesh.states).toEqual([mesh.current()]);
    expect(calls).toBe(0);
  });
});

describe('the last good state of the whole mesh stays', () => {
  const broken = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: [\n';

  test('when a file is broken, with file, line and reason, once', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    await writeFile(join(directory, 'b.yaml'), podYaml('b'));
    const mesh = await watched(directory, { pollMs: 10 });
    const good = mesh.current();

    await replaceFile(join(directory, 'a.yaml'), broken);
    await until(() => mesh.reports.length > 0);
    // A good change elsewhere waits too: half of an edit is never applied.
    await replaceFile(join(directory, 'b.yaml'), podYaml('c'));
    const marker = await watched(directory, { pollMs: 10 });
    await until(() => marker.problems().length > 0);
    expect(mesh.current()).toBe(good);
    expect(mesh.reports).toEqual([
      expect.stringMatching(/^problem a\.yaml:\d+:\d+: error: not valid YAML: /),
    ]);
    expect(mesh.problems()).toHaveLength(1);

    await replaceFile(join(directory, 'a.yaml'), podYaml('d'));
    await until(() => mesh.current() !== good);
    expect(mesh.pods()).toEqual(['c', 'd']);
    expect(mesh.reports.slice(1)).toEqual(['recovered']);
    expect(mesh.problems()).toEqual([]);
  });

  test('is told again when the file changes and is still broken', async () => {
    const directory = await temporaryDirectory();
    const mesh = await watched(directory, eventsOnly);
    mesh.reports.length = 0;
    await replaceFile(join(directory, 'a.yaml'), broken);
    await until(() => mesh.reports.length === 1);
    await replaceFile(join(directory, 'a.yaml'), broken);
    await until(() => mesh.reports.length === 2);
    expect(mesh.reports[1]).toBe(mesh.reports[0]);
  });

  test('when a policy has a misspelt field: the place of the very field', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    const policy = `apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: p, namespace: trading}
spec:
  postQuantumEncrytion: required
`;
    await replaceFile(join(directory, 'p.yaml'), policy);
    await until(() => mesh.reports.length > 0);
    expect(mesh.reports).toEqual([
      'problem p.yaml:5:3: error: QuantumSecurityPolicy trading/p: spec.postQuantumEncrytion: unknown field; did you mean postQuantumEncryption?',
    ]);
    expect(mesh.states).toEqual([]);
  });

  test('when an object is defined twice: both places', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    await replaceFile(join(directory, 'b.yaml'), podYaml('a'));
    await until(() => mesh.reports.length > 0);
    expect(mesh.reports[0]).toContain('b.yaml:3:12: error: Pod trading/a: there is another Pod of this name');
    expect(mesh.problems()[0]?.message).toContain(`${directory}/a.yaml:3:12`);
  });

  test.each([
    ['is empty', async (file: string) => writeFile(file, ''), 'the file is empty'],
    ['is not text', async (file: string) => writeFile(file, Buffer.from([0xff, 0xfe, 0])), 'not UTF-8'],
    [
      'is too large',
      async (file: string) => writeFile(file, Buffer.alloc(maxFileBytes + 1, '#')),
      'split it',
    ],
    [
      'is a link that leads nowhere',
      async (file: string) => {
        await unlink(file);
        await symlink('nowhere', file);
      },
      'the link leads nowhere',
    ],
    [
      // Opening it would wait for ever.
      'is a pipe',
      async (file: string) => {
        await unlink(file);
        makePipe(file);
      },
      'not a regular file',
    ],
  ])('when a file %s', async (_, change, message) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    await change(join(directory, 'a.yaml'));
    await until(() => mesh.problems().length > 0);
    expect(mesh.reports).toEqual([expect.stringContaining(message)]);
    expect(mesh.pods()).toEqual(['a']);
    await rm(join(directory, 'a.yaml'));
    await replaceFile(join(directory, 'b.yaml'), podYaml('b'));
    await until(() => mesh.pods().join() === 'b');
  });

  test('when the directory vanishes, until it returns', async () => {
    const parent = await temporaryDirectory();
    const directory = join(parent, 'manifests');
    await mkdir(directory);
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    const good = mesh.current();

    await rename(directory, `${directory}.away`);
    await until(() => mesh.problems().length > 0);
    expect(mesh.reports).toEqual([
      expect.stringMatching(/^problem error: directory .*manifests cannot be read \(ENOENT\)/),
    ]);
    await rename(`${directory}.away`, directory);
    await until(() => mesh.reports.includes('recovered'));
    expect(mesh.current()).toBe(good);

    // And as another directory, which is watched from then on.
    await rm(directory, { recursive: true });
    await until(() => mesh.problems().length > 0);
    await mkdir(directory);
    await writeFile(join(directory, 'a.yaml'), podYaml('b'));
    await until(() => mesh.pods().join() === 'b');
    await replaceFile(join(directory, 'a.yaml'), podYaml('c'));
    await until(() => mesh.pods().join() === 'c');
  });

  test('when there are more directories than are meant', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    await mkdir(join(directory, Array(20).fill('d').join('/')), { recursive: true });
    await until(() => mesh.problems().length > 0);
    expect(mesh.problems()[0]?.code).toBe('LimitExceeded');
    expect(mesh.pods()).toEqual(['a']);
  });

  test('while something does not stop changing, and says so', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, { pollMs: 10, settleMs: 500, unstableMs: 700 });
    let writing = true;
    const writer = (async () => {
      for (let line = 0; writing; line++) {
        await writeFile(join(directory, 'a.yaml'), `${podYaml('b')}# ${line}\n`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await until(() => mesh.problems().length > 0);
    expect(mesh.problems()[0]).toMatchObject({ severity: 'error', code: 'UnstableFile' });
    expect(mesh.pods()).toEqual(['a']);
    writing = false;
    await writer;
    await until(() => mesh.pods().join() === 'b');
    expect(mesh.reports.at(-1)).toBe('recovered');
  });
});

describe('a file is never read half-written', () => {
  /** Longer than a busy machine may hold up the writer between two writes. */
  const slowWriter = { pollMs: 5, settleMs: 500 };

  test('though each part is valid YAML', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    await writeFile(file, podYaml('a0'));
    const mesh = await watched(directory, slowWriter);
    for (let round = 1; round <= 2; round++) {
      const handle = await open(file, 'w');
      for (const part of ['a', 'b', 'c', 'd', 'e', 'f']) {
        await handle.write(`---\n${podYaml(`${part}${round}`)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await handle.close();
      await until(() => mesh.pods().includes(`f${round}`));
    }
    expect(mesh.states.map(({ workloads }) => workloads.size)).toEqual([6, 6]);
  });

  test('several files that change together count together', async () => {
    const directory = await temporaryDirectory();
    const write = async (round: number) => {
      for (let index = 0; index < 20; index++) {
        await writeFile(join(directory, `${index}.yaml`), podYaml(`p${index}-${round}`));
      }
    };
    await write(0);
    const mesh = await watched(directory, slowWriter);
    for (let round = 1; round <= 2; round++) {
      await write(round);
      await until(() => mesh.pods().includes(`p19-${round}`));
    }
    for (const state of mesh.states) {
      const rounds = new Set([...state.workloads.values()].map(({ name }) => name.split('-')[1]));
      expect(rounds.size).toBe(1);
    }
  });
});

describe('an empty directory', () => {
  test('at the start is an empty mesh, with a warning', async () => {
    const directory = await temporaryDirectory();
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.current()?.workloads.size).toBe(0);
    expect(mesh.reports).toEqual([expect.stringMatching(/^problem warning: there is no manifest/)]);
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    await until(() => mesh.pods().join() === 'a');
    expect(mesh.problems()).toEqual([]);
  });

  test('later too, but not before it has lasted', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'a.yaml');
    await writeFile(file, podYaml('a'));
    const patient = await watched(directory, { pollMs: 5, lossSettleMs: 3_600_000, unstableMs: 7_200_000 });
    const quick = await watched(directory, { pollMs: 5, lossSettleMs: 100 });
    await unlink(file);
    await until(() => quick.current()?.workloads.size === 0);
    expect(quick.problems().map(({ code }) => code)).toEqual(['EmptyDirectory']);
    await writeFile(file, `${podYaml('a')}---\n${podYaml('b')}`);
    await until(() => patient.pods().join() === 'a,b');
    // All manifests were gone for a while, and yet the mesh never was without them.
    expect(patient.states).toHaveLength(1);
  });

  test('that cannot be read at the start yields no state, but a problem, and then a state', async () => {
    const directory = join(await temporaryDirectory(), 'later');
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.current()).toBeUndefined();
    expect(mesh.problems().map(({ code }) => code)).toEqual(['UnreadableDirectory']);
    await mkdir(directory);
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    await until(() => mesh.pods().join() === 'a');
    expect(mesh.reports).toContain('recovered');
  });
});

describe('what does not count', () => {
  test('hidden files, other files, links in a circle', async () => {
    const directory = await temporaryDirectory();
    for (const name of ['.a.yaml', '.a.yaml.swp', 'README.md', 'a.yaml~', 'a.yaml.bak']) {
      await writeFile(join(directory, name), 'not: [yaml');
    }
    await mkdir(join(directory, '.git'));
    await writeFile(join(directory, '.git/x.yaml'), 'not: [yaml');
    await symlink('nowhere.yaml', join(directory, '.#a.yaml'));
    await symlink('.', join(directory, 'loop'));
    await symlink('nowhere', join(directory, 'dangling'));
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    const mesh = await watched(directory, eventsOnly);
    expect(mesh.pods()).toEqual(['a']);
    expect(mesh.reports).toEqual([]);
  });

  test('kinds of others, with one report per kind however often they change', async () => {
    const directory = await temporaryDirectory();
    const map = (name: string) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}}\n`;
    await writeFile(join(directory, 'a.yaml'), `${map('a')}---\n${map('b')}`);
    await writeFile(join(directory, 'b.yaml'), '{apiVersion: apps/v1, kind: Deployment}\n');
    const mesh = await watched(directory, eventsOnly);
    await replaceFile(join(directory, 'a.yaml'), `${map('c')}---\n${podYaml('a')}`);
    await until(() => mesh.pods().join() === 'a');
    expect(mesh.reports).toEqual(['ignored v1 ConfigMap', 'ignored apps/v1 Deployment']);
  });
});

test('an unrelated change leaves everything else as it was, and repeats no warning', async () => {
  const directory = await temporaryDirectory();
  const warned = podYaml('a').replace('spec: {', 'spec: {serviceAccountName: ghost, ');
  await writeFile(join(directory, 'a.yaml'), warned);
  await writeFile(join(directory, 'b.yaml'), podYaml('b'));
  const mesh = await watched(directory, eventsOnly);
  expect(mesh.reports).toEqual([
    expect.stringContaining('a.yaml:4:8: warning: Pod trading/a: there is no ServiceAccount'),
  ]);
  const before = mesh.current();
  await replaceFile(join(directory, 'b.yaml'), podYaml('c'));
  await until(() => mesh.pods().includes('c'));
  expect(mesh.reports).toHaveLength(1);
  expect(mesh.current()?.workloads.get('trading/a')).toBe(before?.workloads.get('trading/a'));
  expect(mesh.current()?.services).toBe(before?.services);
  // Written again with the same contents: the same state, and nobody is told.
  const { length } = mesh.states;
  const state = mesh.current();
  await replaceFile(join(directory, 'a.yaml'), await readFile(join(directory, 'a.yaml'), 'utf8'));
  await until(() => mesh.reports.length === 2);
  expect(mesh.current()).toBe(state);
  expect(mesh.states).toHaveLength(length);
});
