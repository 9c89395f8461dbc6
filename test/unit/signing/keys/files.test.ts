import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type KeyFileSystem,
  keyFileNames,
  type NewFile,
  readPrivateFile,
  readPublicKeyFile,
  writeNewFiles,
} from '../../../../src/signing/keys/files.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { failure } from '../support.ts';

let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
});

function twoFiles(): [NewFile, NewFile] {
  return [
    { path: join(directory, 'a.key'), content: 'secret', mode: 0o600 },
    { path: join(directory, 'a.pub'), content: 'public', mode: 0o644 },
  ];
}

test('file names say the algorithm', () => {
  expect(keyFileNames('dir/ci', 'ML-DSA-65')).toEqual({
    privateKey: 'dir/ci.mldsa65.key',
    publicKey: 'dir/ci.mldsa65.pub',
  });
  expect(keyFileNames('ci', 'ML-DSA-87').publicKey).toBe('ci.mldsa87.pub');
  expect(keyFileNames('ci', 'ECDSA-P256').publicKey).toBe('ci.p256.pub');
  expect(keyFileNames('ci', 'ECDSA-P384').publicKey).toBe('ci.p384.pub');
});

describe('new files', () => {
  test('are written with their modes', async () => {
    const files = twoFiles();
    await writeNewFiles(files);
    for (const { path, content } of files) expect(await fs.readFile(path, 'utf8')).toBe(content);
    expect((await fs.stat(files[0].path)).mode & 0o777).toBe(0o600);
    expect((await fs.stat(files[1].path)).mode & 0o133).toBe(0);
  });

  test.each([0, 1])('replace nothing: when file %i exists, none is written', async (index) => {
    const files = twoFiles();
    const existing = files[index as 0 | 1];
    await fs.writeFile(existing.path, 'what was there');
    await failure('ERR_KEY_FILE_EXISTS', writeNewFiles(files), /is there already.*nothing was written/);
    expect(await fs.readdir(directory)).toEqual([index === 0 ? 'a.key' : 'a.pub']);
    expect(await fs.readFile(existing.path, 'utf8')).toBe('what was there');
  });

  test('follow no link, whether it leads somewhere or nowhere', async () => {
    const [file] = twoFiles();
    await fs.symlink(join(directory, 'elsewhere'), file.path);
    await failure('ERR_KEY_FILE_EXISTS', writeNewFiles([file]), /is there already/);
    expect(await fs.readdir(directory)).toEqual(['a.key']);
  });

  test.each(['writeFile', 'sync'] as const)('leave nothing behind when %s fails', async (operation) => {
    let calls = 0;
    const failing: KeyFileSystem = {
      rm: fs.rm,
      open: (async (...args: Parameters<typeof fs.open>) => {
        const file = await fs.open(...args);
        const real = file[operation].bind(file) as (...given: unknown[]) => Promise<void>;
        Object.assign(file, {
          [operation]: async (...given: unknown[]) => {
            calls += 1;
            if (calls === 2) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
            await real(...given);
          },
        });
        return file;
      }) as typeof fs.open,
    };
    await expect(writeNewFiles(twoFiles(), failing)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await fs.readdir(directory)).toEqual([]);
  });

  test('are on disk before this returns: each file and the directory', async () => {
    const synced: string[] = [];
    const watching: KeyFileSystem = {
      rm: fs.rm,
      open: (async (...args: Parameters<typeof fs.open>) => {
        const file = await fs.open(...args);
        const real = file.sync.bind(file);
        const sync = async () => {
          synced.push(String(args[0]));
          await real();
        };
        return Object.assign(file, { sync });
      }) as typeof fs.open,
    };
    const files = twoFiles();
    await writeNewFiles(files, watching);
    expect(synced).toEqual([...files.map(({ path }) => path), directory]);
  });
});

describe('a private key file', () => {
  test('is read, also through a link', async () => {
    const [file] = twoFiles();
    await writeNewFiles([file]);
    await fs.symlink(file.path, join(directory, 'link'));
    expect(await readPrivateFile(file.path)).toBe('secret');
    expect(await readPrivateFile(join(directory, 'link'))).toBe('secret');
  });

  test.each([0o640, 0o604, 0o620, 0o644, 0o610])('of mode %o is refused', async (mode) => {
    const [file] = twoFiles();
    await writeNewFiles([file]);
    await fs.chmod(file.path, mode);
    const reason = new RegExp(`open to others \\(mode ${mode.toString(8)}\\).*chmod 600`);
    await failure('ERR_KEY_FILE_NOT_PRIVATE', readPrivateFile(file.path), reason);
    expect(await readPublicKeyFile(file.path)).toBe('secret');
  });

  test.each([
    [readPrivateFile, 'ERR_KEY_FILE_INVALID'],
    [readPublicKeyFile, 'ERR_PUBLIC_KEY_INVALID'],
  ] as const)(
    '%o: a directory, a pipe without a writer, and a file without an end are refused',
    async (read, code) => {
      await failure(code, read(directory), /not a regular file/);
      const pipe = join(directory, 'pipe');
      execFileSync('/usr/bin/env', ['mkfifo', '-m', '600', pipe]);
      await failure(code, read(pipe), /not a regular file/);
      const large = join(directory, 'large');
      await fs.writeFile(large, Buffer.alloc(65_537), { mode: 0o600 });
      await failure(code, read(large), /larger than 65536 bytes/);
    },
  );
});
