import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import {
  addRegistryOptions,
  type RegistryClientOptions,
  registryClientOf,
} from '../../../src/cli/registry-options.ts';
import { digestOf } from '../../../src/registry/digest.ts';
import { parseReference } from '../../../src/registry/reference.ts';
import { onEnd } from '../../support/cleanup.ts';
import { makeTls } from '../../support/registry/tls.ts';
import { fakeRegistry } from '../registry/support/fake-registry.ts';
import { answer, serve } from '../registry/support/server.ts';

function parse(...args: readonly string[]): RegistryClientOptions {
  const quiet = { writeErr: () => undefined };
  const command = addRegistryOptions(new Command().exitOverride().configureOutput(quiet));
  return command.parse([...args], { from: 'user' }).opts();
}

const content = Buffer.from('content');
const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.byteLength };

async function pull(host: string, options: RegistryClientOptions): Promise<string> {
  const client = await registryClientOf(options);
  onEnd(() => client.close());
  return String(await client.blob(parseReference(`${host}/a/b`), blob, 100));
}

test('without options there is one, the time', () => {
  expect(parse()).toEqual({ timeout: 60_000 });
});

test('lists grow', () => {
  const options = parse(
    ...['--plain-http', 'a.example', '--plain-http', 'B.example:5000'],
    ...['--registry-mirror', 'docker.io=one.example/hub', '--registry-mirror', 'index.docker.io=two.example'],
    ...['--registry-ca', 'one.pem', '--registry-ca', 'two.pem', '--docker-config', 'here', '--timeout', '5s'],
  );
  expect(options).toEqual({
    plainHttp: ['a.example', 'b.example:5000'],
    registryMirror: { 'docker.io': ['one.example/hub', 'two.example'] },
    registryCa: ['one.pem', 'two.pem'],
    dockerConfig: 'here',
    timeout: 5_000,
  });
});

test.each([
  ['--plain-http', 'http://a.example'],
  ['--plain-http', 'a.example/path'],
  ['--registry-mirror', 'docker.io'],
  ['--registry-mirror', 'docker.io='],
  ['--registry-mirror', '=one.example'],
  ['--timeout', '5'],
])('%s %s is a mistake', (...args) => {
  expect(() => parse(...args)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
});

describe('the client', () => {
  test('trusts the CA', async () => {
    const tls = await makeTls();
    const registry = await fakeRegistry({ tls });
    registry.blobs.set(blob.digest, content);
    expect(await pull(registry.host, { registryCa: [tls.caFile] })).toBe('content');
    await expect(pull(registry.host, {})).rejects.toMatchObject({ code: 'ERR_REGISTRY_CERTIFICATE' });
  });

  test('reads from the mirror', async () => {
    const mirror = await fakeRegistry();
    mirror.blobs.set(blob.digest, content);
    const registryMirror = { 'registry.example': [mirror.host] };
    expect(await pull('registry.example', { registryMirror })).toBe('content');
  });

  test('takes credentials from the directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'trellis-docker-'));
    onEnd(() => rm(directory, { recursive: true, force: true }));
    const auth = Buffer.from('user:password').toString('base64');
    const registry = await fakeRegistry({
      intercept: (request, response) => {
        if (request.headers.authorization === `Basic ${auth}`) return false;
        answer(response, 401, { 'www-authenticate': 'Basic realm="x"' });
        return true;
      },
    });
    registry.blobs.set(blob.digest, content);
    await writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    expect(await pull(registry.host, { dockerConfig: directory })).toBe('content');
  });

  test('is not made with a directory of credentials that is not there, or is a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'trellis-docker-'));
    onEnd(() => rm(directory, { recursive: true, force: true }));
    const refusal = async (dockerConfig: string) =>
      await registryClientOf({ dockerConfig }).then(
        () => undefined,
        (error: unknown) => error,
      );
    const code = 'ERR_USAGE';
    const missing = join(directory, 'nowhere');
    expect(await refusal(missing)).toMatchObject({ code, message: expect.stringContaining(missing) });
    const file = join(directory, 'config.json');
    await writeFile(file, '{}');
    expect(await refusal(file)).toMatchObject({ code, message: `--docker-config ${file}: it is a file` });
    expect(await refusal(directory)).toBeUndefined();
  });

  test('waits no longer than it is told', async () => {
    const registry = await serve(() => undefined);
    const waiting = pull(registry.host, { timeout: 50, plainHttp: [registry.host] });
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_REGISTRY_TIMEOUT' });
  });

  test('is not made with a CA file that is missing, or that is something else', async () => {
    await expect(registryClientOf({ registryCa: ['/nowhere/ca.pem'] })).rejects.toMatchObject({
      code: 'ERR_USAGE',
    });
    const { keyFile, caFile } = await makeTls();
    const wrong = { code: 'ERR_REGISTRY_CONFIGURATION' };
    await expect(registryClientOf({ registryCa: [keyFile] })).rejects.toMatchObject(wrong);
    await expect(registryClientOf({ registryCa: [caFile, keyFile] })).resolves.toBeDefined();
    await writeFile(caFile, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    await expect(registryClientOf({ registryCa: [caFile] })).rejects.toMatchObject(wrong);
  });
});
