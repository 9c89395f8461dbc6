// `trellis admit` over a real registry: what `trellis sign` has signed is allowed, and what it has not is not.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type CliRun, runTrellis } from '../support/cli.ts';
import { temporaryDirectory } from '../support/control-plane.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const env = { TRELLIS_PASSWORD: '' };
let registry: TestRegistry;
let directory: string;

const trellis = (...args: readonly string[]): Promise<CliRun> =>
  runTrellis([...args, ...access()], { cwd: directory, env });
const access = () => ['--registry-ca', registry.caFile ?? '', '--docker-config', registry.dockerConfig];

async function key(file: string, algorithm: string) {
  return { algorithm, publicKey: await readFile(join(directory, file), 'utf8') };
}

async function write(name: string, content: object): Promise<string> {
  await writeFile(join(directory, name), JSON.stringify(content));
  return name;
}

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ kind: 'distribution', auth: 'bearer', tls: true });
  await runTrellis(['keygen', '--out-prefix', 'ci'], { cwd: directory, env });
  const keys = [await key('ci.mldsa65.pub', 'ML-DSA-65'), await key('ci.p256.pub', 'ECDSA-P256')];
  const authorities = [{ name: 'ci', keysets: [{ name: 'ci-2026', keys }] }];
  await write('policy.json', {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { name: 'images', namespace: 'trading' },
    spec: { images: [{ match: [`${registry.host}/trading/**`], authorities }] },
  });
});

async function podOf(image: string): Promise<string> {
  const spec = { containers: [{ name: 'app', image }] };
  return await write('pod.json', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'trading' },
    spec,
  });
}

test('a signed image is verified by its tag and by its digest, an unsigned one is not', async () => {
  const { digest, reference } = await pushTestImage(registry, { repository: 'trading/app', tag: 'v1' });
  const tagged = `${registry.host}/trading/app:v1`;
  const admit = async (image: string) =>
    await trellis('admit', '-f', await podOf(image), '--policy', 'policy.json');

  const before = await admit(tagged);
  expect(before).toMatchObject({ status: 1, stderr: 'trellis: 1 of 1 denied\n' });
  expect(before.stdout).toMatch(/there is no valid signature of ML-DSA-65 key .*; sign with trellis sign/);

  const signed = await trellis('sign', '--key', 'ci.mldsa65.key', '--key', 'ci.p256.key', tagged);
  expect(signed).toMatchObject({ status: 0 });
  for (const image of [tagged, reference]) {
    const after = await admit(image);
    expect(after).toMatchObject({ status: 0, stderr: '' });
    expect(after.stdout).toMatch(/^allowed {2}Pod trading\/app in pod\.json:1\n {2}verified: /);
    expect(after.stdout).toContain(digest);
  }
});

test('a registry that lets nobody in says nothing about the image, and the end says whose credentials were used', async () => {
  const { reference } = await pushTestImage(registry, { repository: 'trading/app' });
  const args = [
    'admit',
    '-f',
    await podOf(reference),
    '--policy',
    'policy.json',
    '--registry-ca',
    registry.caFile ?? '',
  ];
  const { status, stdout, stderr } = await runTrellis(args, { cwd: directory, env });
  expect(status).toBe(3);
  expect(stdout).toMatch(/^NOT KNOWN {2}/);
  expect(stderr).toContain('with your credentials (--docker-config)');
});
