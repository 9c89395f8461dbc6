import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isCi, mayInstallPackages, provide } from '../../../scripts/tools/provide.ts';
import { fakePython, type Sandbox, sandbox } from './fakes.ts';

const java = (version: string): string => `echo 'openjdk version "${version}" 2025-04-15' >&2`;
const anything = 'exit 0';

describe('java', () => {
  test.each(['17.0.15', '21', '26-ea'])('%s will do', async (version) => {
    const box = await sandbox();
    const path = await box.script('java', java(version));
    await box.script('javac', anything);
    expect(await provide('java', box.search, { installPackages: false })).toEqual({ path, version });
  });

  test.each(['1.8.0_292', '11.0.2'])('%s is too old', async (version) => {
    const box = await sandbox();
    await box.script('java', java(version));
    await box.script('javac', anything);
    await expect(provide('java', box.search, { installPackages: false })).rejects.toMatchObject({
      code: 'ERR_TOOL_TOO_OLD',
      message: expect.stringMatching(new RegExp(`Java ${version}.*JDK 17`)),
    });
  });

  test('a JRE alone will not do', async () => {
    const box = await sandbox();
    await box.script('java', java('17.0.15'));
    await expect(provide('java', box.search, { installPackages: false })).rejects.toMatchObject({
      code: 'ERR_TOOL_MISSING',
      message: expect.stringMatching(/javac is not on PATH.*default-jdk-headless/),
    });
  });
});

describe('maven', () => {
  test('is asked for its version', async () => {
    const box = await sandbox();
    const path = await box.script('mvn', 'echo "Apache Maven 3.8.7"; echo "Maven home: /usr/share/maven"');
    expect(await provide('maven', box.search, { installPackages: false })).toEqual({
      path,
      version: '3.8.7',
    });
  });

  test('missing: says for what and what to install', async () => {
    const box = await sandbox();
    await expect(provide('maven', box.search, { installPackages: false })).rejects.toMatchObject({
      code: 'ERR_TOOL_MISSING',
      message: expect.stringMatching(/^maven \(.*\): mvn is not on PATH.*apt-get install maven/),
    });
  });
});

describe('where packages may be installed', () => {
  /** An apt-get that notes its arguments, and brings `tool` when it installs. */
  async function withApt(tool: string, body: string): Promise<Sandbox> {
    const box = await sandbox();
    await box.script(join(box.root, 'later', tool), body);
    await box.script(
      'apt-get',
      `echo "$DEBIAN_FRONTEND $*" >> ${box.root}/apt\n[ "$1" = install ] && /bin/cp ${box.root}/later/${tool} ${box.bin}/${tool}\nexit 0`,
    );
    return box;
  }
  const aptCalls = (box: Sandbox): Promise<string> => readFile(join(box.root, 'apt'), 'utf8');

  test('what is missing is installed, without questions, and found then', async () => {
    const box = await withApt('mvn', 'echo "Apache Maven 3.9.9"');
    expect(await provide('maven', box.search, { installPackages: true })).toMatchObject({ version: '3.9.9' });
    expect(await aptCalls(box)).toBe(
      'noninteractive update\nnoninteractive install --yes --no-install-recommends maven\n',
    );
    expect(box.lines).toContain('installing maven with apt-get');
  });

  test('elsewhere nothing is installed', async () => {
    const box = await withApt('mvn', 'echo "Apache Maven 3.9.9"');
    await expect(provide('maven', box.search, { installPackages: false })).rejects.toMatchObject({
      code: 'ERR_TOOL_MISSING',
    });
    await expect(aptCalls(box)).rejects.toThrow();
  });

  test('python3 without its venv module gets it, and then Envoy is installed', async () => {
    const working = await sandbox();
    await fakePython(working);
    const box = await withApt('python3', `exec ${working.bin}/python3 "$@"`);
    await box.script('python3', 'echo "No module named venv" >&2; exit 1');
    expect(await provide('envoy', box.search, { installPackages: true })).toMatchObject({
      version: '1.40.0',
    });
    expect(await aptCalls(box)).toContain('install --yes --no-install-recommends python3-venv\n');
  });

  test('a package that cannot be installed is a failure that says so', async () => {
    const box = await sandbox();
    await box.script('apt-get', 'echo "E: Unable to locate package" >&2; exit 100');
    await expect(provide('maven', box.search, { installPackages: true })).rejects.toMatchObject({
      code: 'ERR_TOOL_INSTALL',
      message: expect.stringContaining('Unable to locate package'),
    });
  });

  test('that is as root where CI is set, nowhere else', () => {
    expect(mayInstallPackages({ CI: 'true' }, 0)).toBe(true);
    expect(mayInstallPackages({ CI: 'true' }, 1000)).toBe(false);
    expect(mayInstallPackages({}, 0)).toBe(false);
    expect(mayInstallPackages({ CI: 'true' }, undefined)).toBe(false);
  });

  test.each([
    ['true', true],
    ['1', true],
    ['woodpecker', true],
    ['false', false],
    ['0', false],
    ['', false],
    [undefined, false],
  ])('CI=%s means %s', (value, expected) => {
    expect(isCi({ CI: value })).toBe(expected);
  });
});
