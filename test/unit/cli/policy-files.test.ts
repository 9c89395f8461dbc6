import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPolicyFiles } from '../../../src/cli/policy-files.ts';
import { requirementsOf } from '../../../src/cli/signing/verification-requirements.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trellis-policy-file-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function read(content: string | Uint8Array) {
  const path = join(directory, 'policy.yaml');
  await writeFile(path, content);
  return await readPolicyFiles([path]);
}

const policy = `apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: images, namespace: trading}
spec: {images: [{match: ["**"], action: allow}]}
`;
const configMap = (metadata: string, rest: string) =>
  `---\napiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\n${rest}\n`;
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

describe('the ConfigMaps of a file', () => {
  test('are found by namespace, name and key, as text or as bytes', async () => {
    const { policies, configMap: entry } = await read(
      policy +
        configMap('{name: trust, namespace: trading}', 'data: {ci.pub: one}\nbinaryData: {raw: AP8=}') +
        configMap('{name: trust, namespace: other}', 'data: {ci.pub: two}') +
        configMap('{name: bare}', 'data: {ci.pub: three}'),
    );
    expect(policies.map(({ name }) => name)).toEqual(['images']);
    expect(text(entry('trading', 'trust', 'ci.pub'))).toBe('one');
    expect(text(entry('other', 'trust', 'ci.pub'))).toBe('two');
    expect(text(entry('default', 'bare', 'ci.pub'))).toBe('three');
    expect(entry('trading', 'trust', 'raw')).toEqual(Buffer.from([0, 255]));
    for (const [namespace, name, key] of [
      ['trading', 'trust', 'other'],
      ['trading', 'bare', 'ci.pub'],
      ['nowhere', 'trust', 'ci.pub'],
      ['trading', 'trust', 'toString'],
    ] as const) {
      expect(entry(namespace, name, key)).toBeUndefined();
    }
  });

  test('that are malformed hold nothing', async () => {
    const { configMap: entry } = await read(
      policy +
        configMap('{name: odd, namespace: trading}', 'data: [ci.pub]') +
        configMap('{name: numbers, namespace: trading}', 'data: {ci.pub: 7}') +
        configMap('{namespace: trading}', 'data: {ci.pub: one}'),
    );
    expect(entry('trading', 'odd', '0')).toBeUndefined();
    expect(entry('trading', 'numbers', 'ci.pub')).toBeUndefined();
    expect(entry('trading', 'undefined', 'ci.pub')).toBeUndefined();
  });
});

describe('a file', () => {
  test('without rules about images decides nothing about one, and verifying by it is refused', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, policy.replace('{images: [{match: ["**"], action: allow}]}', '{}'));
    await expect(requirementsOf({ key: [], policy: path, deadline: 1_000, log: true })).rejects.toMatchObject(
      {
        code: 'ERR_USAGE',
        message: expect.stringContaining('no QuantumSecurityPolicy with images'),
      },
    );
  });

  test('with an error in any policy is refused, naming it', async () => {
    const bad = policy.replace('name: images', 'name: bad').replace('action: allow', 'action: maybe');
    await expect(read(`${policy}---\n${bad}`)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringMatching(/trading\/bad.*action/),
    });
  });

  test('that is no text is refused', async () => {
    await expect(read(Buffer.from([0xff, 0xfe]))).rejects.toThrow('not UTF-8');
  });
});

describe('what would leave open who is obeyed is refused', () => {
  test.each([
    [
      'two policies of one name',
      `${policy}---\n${policy.replace('allow', 'deny')}`,
      /another QuantumSecurityPolicy trading\/images/,
    ],
    [
      'two ConfigMaps of one name',
      policy +
        configMap('{name: trust, namespace: trading}', 'data: {a: one}') +
        configMap('{name: trust, namespace: trading}', 'data: {a: two}'),
      /another ConfigMap trading\/trust/,
    ],
    [
      'a policy of another tool',
      `${policy}---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\n`,
      /"ClusterImagePolicy" is not read here/,
    ],
  ])('%s', async (_, content, message) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringMatching(message),
    });
  });
});

test('the example of docs/signing.md is a policy file', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/signing.md'), 'utf8');
  const [, example = ''] = /```yaml\n(apiVersion: security\.quantum\.io[\s\S]*?)```/.exec(page) ?? [];
  const { policies } = await read(example.replace('…', 'AAAA'.repeat(16)));
  expect(policies.map(({ name }) => name)).toEqual(['images']);
  expect(policies[0]?.spec.images).toHaveLength(2);
});

test('two files are read as one: a policy that is in both is refused', async () => {
  const paths = ['one.yaml', 'other.yaml'].map((name) => join(directory, name));
  await writeFile(paths[0] ?? '', policy);
  await writeFile(paths[1] ?? '', policy.replace('namespace: trading', 'namespace: billing'));
  expect((await readPolicyFiles(paths)).policies).toHaveLength(2);
  await writeFile(paths[1] ?? '', policy);
  await expect(readPolicyFiles(paths)).rejects.toThrow('another QuantumSecurityPolicy trading/images');
});
