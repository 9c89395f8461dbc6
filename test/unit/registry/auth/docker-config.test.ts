import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dockerCredentials } from '../../../../src/registry/auth/docker-config.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { onEnd } from '../../../support/cleanup.ts';

interface Home {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  write(path: string, content: unknown): Promise<string>;
  /** A program on PATH. */
  script(name: string, body: string): Promise<void>;
}

async function home(): Promise<Home> {
  const root = await mkdtemp(join(tmpdir(), 'trellis-docker-config-'));
  onEnd(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, content: unknown): Promise<string> => {
    const whole = join(root, path);
    await mkdir(dirname(whole), { recursive: true });
    await writeFile(whole, typeof content === 'string' ? content : JSON.stringify(content));
    return whole;
  };
  return {
    root,
    env: { HOME: root, PATH: join(root, 'bin') },
    write,
    script: async (name, body) => {
      await chmod(await write(`bin/${name}`, `#!/bin/sh\n${body}\n`), 0o755);
    },
  };
}

const find = (env: NodeJS.ProcessEnv, image = 'registry.example/a/b', directory?: string) =>
  dockerCredentials({ env, directory })(parseReference(image));

const auth = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString('base64'),
});
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret });

describe('where it is', () => {
  const config = (user: string) => ({ auths: { 'registry.example': auth(user, 'x') } });

  test('nowhere', async () => {
    expect(await find((await home()).env)).toBeUndefined();
    expect(await find({})).toBeUndefined();
  });

  test('the directory that is given, before all others and alone', async () => {
    const { env, write, root } = await home();
    await write('.docker/config.json', config('home'));
    await write('given/config.json', config('given'));
    expect(await find(env, undefined, join(root, 'given'))).toEqual(password('given', 'x'));
    expect(await find(env, undefined, join(root, 'empty'))).toBeUndefined();
  });

  test("DOCKER_CONFIG, then the home directory's, then REGISTRY_AUTH_FILE, then podman's", async () => {
    const { env, write, root } = await home();
    const all = { ...env, XDG_RUNTIME_DIR: join(root, 'run') };
    await write('run/containers/auth.json', config('podman'));
    expect(await find(all)).toEqual(password('podman', 'x'));
    const file = await write('auth-file.json', config('file'));
    expect(await find({ ...all, REGISTRY_AUTH_FILE: file })).toEqual(password('file', 'x'));
    await write('.docker/config.json', config('home'));
    expect(await find({ ...all, REGISTRY_AUTH_FILE: file })).toEqual(password('home', 'x'));
    await write('other/config.json', config('other'));
    expect(await find({ ...all, DOCKER_CONFIG: join(root, 'other') })).toEqual(password('other', 'x'));
  });

  test('what docker login changes is seen', async () => {
    const { env, write } = await home();
    const source = dockerCredentials({ env });
    expect(await source(parseReference('registry.example/a'))).toBeUndefined();
    await write('.docker/config.json', config('late'));
    expect(await source(parseReference('registry.example/a'))).toEqual(password('late', 'x'));
  });
});

describe('auths', () => {
  async function findIn(auths: unknown, image?: string) {
    const { env, write } = await home();
    await write('.docker/config.json', { auths });
    return await find(env, image);
  }

  test.each([
    ['a password', auth('user', 'pass:word'), password('user', 'pass:word')],
    ['a password that docker padded', auth('user', 'password\0\0'), password('user', 'password')],
    ['a password in two members', { username: 'user', password: 'x' }, password('user', 'x')],
    [
      'an identity token',
      { ...auth('user', ''), identitytoken: 'x' },
      { kind: 'identity-token', token: 'x' },
    ],
    ['a registry token', { registrytoken: 'x' }, { kind: 'registry-token', token: 'x' }],
    ['nothing', {}, undefined],
    ['an empty auth', { auth: '' }, undefined],
  ])('%s', async (_, entry, credentials) => {
    expect(await findIn({ 'registry.example': entry })).toEqual(credentials);
  });

  test.each([
    ['https://registry.example', 'registry.example/a'],
    ['https://registry.example/v2/', 'registry.example/a'],
    ['REGISTRY.example', 'registry.example/a'],
    ['registry.example:5000', 'registry.example:5000/a'],
    ['registry.example:443', 'registry.example/a'],
    ['registry.example', 'registry.example:443/a'],
    ['https://index.docker.io/v1/', 'nginx'],
    ['docker.io', 'a/b'],
    ['registry.example/a', 'registry.example/a/b'],
    ['registry.example/a/b', 'registry.example/a/b'],
  ])('%s is for %s', async (key, image) => {
    expect(await findIn({ [key]: auth('user', 'x') }, image)).toEqual(password('user', 'x'));
  });

  test.each([
    ['registry.example', 'cdn.registry.example/a'],
    ['example', 'registry.example/a'],
    ['registry.example', 'registry.example:5000/a'],
    ['registry.example:5000', 'registry.example/a'],
    ['registry.example/a', 'registry.example/ab'],
    ['registry.example/a/b', 'registry.example/a'],
    ['docker.io', 'registry.example/docker.io'],
    ['*', 'registry.example/a'],
    ['', 'registry.example/a'],
  ])('%j is not for %s', async (key, image) => {
    expect(await findIn({ [key]: auth('user', 'x') }, image)).toBeUndefined();
  });

  test('the one for the longest path counts', async () => {
    const auths = {
      'registry.example': auth('all', 'x'),
      'registry.example/a/b': auth('deep', 'x'),
      'registry.example/a': auth('part', 'x'),
    };
    expect(await findIn(auths, 'registry.example/a/b/c')).toEqual(password('deep', 'x'));
    expect(await findIn(auths, 'registry.example/a/c')).toEqual(password('part', 'x'));
    expect(await findIn(auths, 'registry.example/c')).toEqual(password('all', 'x'));
  });
});

describe('a file that cannot be used is an error, which does not quote it', () => {
  test.each([
    ['no JSON', '{"auths": hunter2'],
    ['a list', '["hunter2"]'],
    ['a member twice', '{"hunter2": 1, "hunter2": 2}'],
    ['auths that are a list', { auths: ['hunter2'] }],
    ['an auth that is no object', { auths: { 'registry.example': 'hunter2' } }],
    ['an auth without a colon', { auths: { 'registry.example': { auth: 'aHVudGVyMg==' } } }],
    ['helpers that are a list', { credHelpers: ['hunter2'] }],
    ['a helper that is no name', { credsStore: 1 }],
  ])('%s', async (_, content) => {
    const { env, write } = await home();
    await write('.docker/config.json', content);
    const error = await find(env).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_REGISTRY_CONFIGURATION' });
    expect(JSON.stringify([String(error), (error as Error).cause ?? ''])).not.toContain('hunter2"');
  });

  test.each(['../../tmp/evil', '/tmp/evil', '-x', 'a b', 'a\n', 'x'.repeat(65)])(
    'a helper named %j is not started',
    async (credsStore) => {
      const { env, write } = await home();
      await write('.docker/config.json', { credsStore });
      await expect(find(env)).rejects.toMatchObject({
        code: 'ERR_REGISTRY_CONFIGURATION',
        message: expect.stringContaining('no name of a credential helper'),
      });
    },
  );

  test('that is a directory', async () => {
    const { env, root } = await home();
    await mkdir(join(root, '.docker/config.json'), { recursive: true });
    await expect(find(env)).rejects.toMatchObject({ code: 'ERR_REGISTRY_CONFIGURATION' });
  });
});

describe('credential helpers', () => {
  const saying = (username: string, secret: string): string =>
    `read -r server; [ "$1" = get ] && echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"${username}\\",\\"Secret\\":\\"$server ${secret}\\"}"`;

  test.each([
    ['registry.example/a', 'registry.example'],
    ['nginx', 'https://index.docker.io/v1/'],
  ])('credsStore is asked about %s as %s', async (image, server) => {
    const box = await home();
    await box.write('.docker/config.json', { credsStore: 'test' });
    await box.script('docker-credential-test', saying('user', 'x'));
    expect(await find(box.env, image)).toEqual(password('user', `${server} x`));
  });

  test('credHelpers come before credsStore, for their registry', async () => {
    const box = await home();
    const config = { credsStore: 'all', credHelpers: { 'https://registry.example': 'one' } };
    await box.write('.docker/config.json', config);
    await box.script('docker-credential-all', saying('all', 'x'));
    await box.script('docker-credential-one', saying('one', 'x'));
    expect(await find(box.env)).toMatchObject({ username: 'one' });
    expect(await find(box.env, 'other.example/a')).toMatchObject({ username: 'all' });
  });

  test('the user <token> has an identity token', async () => {
    const box = await home();
    await box.write('.docker/config.json', { credsStore: 'test' });
    await box.script('docker-credential-test', saying('<token>', 'x'));
    expect(await find(box.env)).toEqual({ kind: 'identity-token', token: 'registry.example x' });
  });

  test('one that knows nothing leaves the question to auths', async () => {
    const box = await home();
    const config = { credsStore: 'test', auths: { 'registry.example': auth('user', 'x') } };
    await box.write('.docker/config.json', config);
    await box.script('docker-credential-test', 'echo "credentials not found in native keychain"; exit 1');
    expect(await find(box.env)).toEqual(password('user', 'x'));
    expect(await find(box.env, 'other.example/a')).toBeUndefined();
  });

  test.each([
    ['is missing', undefined, 'on PATH'],
    ['fails', 'echo hunter2; echo hunter2 >&2; exit 1', 'code 1'],
    ['says no JSON', 'echo hunter2', 'no JSON'],
    ['says something else', 'echo "{\\"Secret\\": \\"hunter2\\"}"', 'no Username'],
    [
      'says a member twice',
      'echo "{\\"Username\\":\\"a\\",\\"Username\\":\\"hunter2\\",\\"Secret\\":\\"x\\"}"',
      'no JSON',
    ],
    ['says too much', '/usr/bin/head -c 100000 /dev/zero; echo hunter2', 'too much'],
  ])('one that %s is an error, and its words are in none', async (_, body, reason) => {
    const box = await home();
    await box.write('.docker/config.json', {
      credsStore: 'test',
      auths: { 'registry.example': auth('a', 'b') },
    });
    if (body !== undefined) await box.script('docker-credential-test', body);
    const error = await find(box.env).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_REGISTRY_CONFIGURATION',
      message: expect.stringMatching(new RegExp(`docker-credential-test: .*${reason}`)),
    });
    expect(String(error)).not.toContain('hunter2');
  });

  test('one is not shown what signing keys and their passwords are', async () => {
    const box = await home();
    await box.write('.docker/config.json', { credsStore: 'test' });
    await box.script('docker-credential-test', `/usr/bin/env > ${box.root}/seen; ${saying('user', 'x')}`);
    const secrets = {
      TRELLIS_PASSWORD: 'hunter2',
      COSIGN_PASSWORD: 'hunter2',
      MLDSA_KEY: '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nhunter2',
      PLAIN_KEY: '-----BEGIN PRIVATE KEY-----\nhunter2',
    };
    expect(await find({ ...box.env, ...secrets, AWS_REGION: 'eu-1' })).toMatchObject({ username: 'user' });
    const seen = await readFile(`${box.root}/seen`, 'utf8');
    expect(seen).not.toContain('hunter2');
    expect(seen).toContain('AWS_REGION=eu-1');
  });

  test('one that hangs ends with its caller, though its child keeps the pipe', async () => {
    const box = await home();
    await box.write('.docker/config.json', { credsStore: 'test' });
    await box.script('docker-credential-test', `/bin/sleep 30 & echo $! > ${box.root}/pid; wait`);
    const controller = new AbortController();
    const finding = dockerCredentials({ env: box.env })(
      parseReference('registry.example/a'),
      controller.signal,
    );
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(finding).rejects.toThrow('enough');
  });
});
