import { expect, test } from 'vitest';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { oneLook } from '../../../../src/signing/verify/one-look.ts';
import { createVerifier } from '../../../../src/signing/verify/verifier.ts';
import { FakeRegistry } from './fake-registry.ts';
import {
  authorityOf,
  bundleBytes,
  codesOf,
  digest,
  keysetOf,
  now,
  payloadBy,
  policyOf,
  repository as reference,
  testKey,
} from './support.ts';

const repository = { registry: 'registry.example', path: 'app' };

const { signal } = new AbortController();

/** As a blob and as a manifest. */
const answerOf = (byteLength: number) => ({ byteLength, bytes: { byteLength } });

function counting(answer: () => Promise<unknown>) {
  const asked: string[] = [];
  const signals = new Set<unknown>();
  const method =
    (name: string) =>
    async (...given: readonly unknown[]) => {
      asked.push(name);
      signals.add(given.find((each) => each instanceof AbortSignal));
      return await answer();
    };
  const client = {
    ...{ resolve: method('resolve'), referrers: method('referrers') },
    ...{ manifest: method('manifest'), blob: method('blob') },
  } as unknown as RegistryClient;
  return { asked, signals, client: oneLook(client, signal) };
}

test('asks once for each thing, also when several ask at the same time', async () => {
  const { asked, client } = counting(async () => answerOf(1));
  const descriptor = { mediaType: 'a/b', digest, size: 1 };
  const all = () =>
    Promise.all([
      client.resolve({ ...repository, tag: 'a', digest: undefined }),
      client.referrers(repository, digest),
      client.manifest(repository, digest),
      client.blob(repository, descriptor, 10),
    ]);
  const [first, second] = await Promise.all([all(), all()]);
  expect(asked).toEqual(['resolve', 'referrers', 'manifest', 'blob']);
  expect(first.map((answer, index) => answer === second[index])).toEqual([true, true, true, true]);
});

test('what differs in repository, tag, digest or limit is another thing', async () => {
  const { asked, client } = counting(async () => answerOf(1));
  const descriptor = { mediaType: 'a/b', digest, size: 1 };
  await client.resolve({ ...repository, tag: 'a', digest: undefined });
  await client.resolve({ ...repository, tag: 'b', digest: undefined });
  await client.manifest(repository, digest);
  await client.manifest({ ...repository, path: 'other' }, digest);
  await client.blob(repository, descriptor, 10);
  await client.blob(repository, descriptor, 20);
  await client.manifest(repository, digest, undefined, 10);
  await client.manifest(repository, digest, undefined, 20);
  expect(asked).toHaveLength(8);
});

test('inline content is not taken for another’s of the same digest', async () => {
  const { asked, client } = counting(async () => asked.length);
  const descriptor = { mediaType: 'a/b', digest, size: 1 };
  const junk = await client.blob(repository, { ...descriptor, data: 'AAAA' }, 10);
  expect(await client.blob(repository, descriptor, 10)).not.toBe(junk);
  expect(await client.blob(repository, { ...descriptor, data: 'BBBB' }, 10)).toBe(3);
});

test('a junk copy of a good manifest, listed first, denies nothing', async () => {
  const registry = new FakeRegistry();
  const key = testKey('ECDSA-P256');
  const bytes = bundleBytes(key, payloadBy([key]));
  const withData = (data: string | undefined) => (manifest: Record<string, unknown>) => {
    const layer = (manifest['layers'] as Record<string, unknown>[])[0] ?? {};
    if (data === undefined) delete layer['data'];
    else layer['data'] = data;
  };
  registry.attach(bytes, { edit: withData('AAAA') });
  registry.attach(bytes, { edit: withData(undefined) });
  const verdict = await createVerifier().verify({
    reference: { ...parseReference(reference), digest },
    policy: policyOf([authorityOf('ci', [keysetOf('k', [key])])]),
    client: oneLook(registry.client, signal),
    now: () => now,
  });
  expect(codesOf(verdict)).toEqual(['bundle-invalid', 'valid']);
  expect(verdict.ok).toBe(true);
});

test('a failure is not remembered', async () => {
  let failing = true;
  const { asked, client } = counting(async () => {
    if (failing) throw new RegistryError('ERR_REGISTRY_TIMEOUT', 'too slow');
    return {};
  });
  await expect(client.referrers(repository, digest)).rejects.toThrow('too slow');
  failing = false;
  await expect(client.referrers(repository, digest)).resolves.toEqual({});
  expect(asked).toHaveLength(2);
});

test('ends with its own signal, and not with that of whoever asked first', async () => {
  const { signals, client } = counting(async () => answerOf(1));
  const first = AbortSignal.timeout(60_000);
  await client.resolve({ ...repository, tag: 'a', digest: undefined }, first);
  await client.referrers(repository, digest, first);
  await client.manifest(repository, digest, first);
  await client.blob(repository, { mediaType: 'a/b', digest, size: 1 }, 10, first);
  expect([...signals]).toEqual([signal]);
});

test('remembers no more than a few megabytes: what is too much is asked for again', async () => {
  const megabyte = 1024 * 1024;
  const { asked, client } = counting(async () => answerOf(megabyte));
  const blob = (size: number) => client.blob(repository, { mediaType: 'a/b', digest, size }, 10);
  await client.manifest(repository, digest);
  for (let size = 1; size <= 5; size += 1) await Promise.all([blob(size), blob(size)]);
  expect(asked).toHaveLength(6);
  for (let size = 1; size <= 3; size += 1) await blob(size);
  expect(asked).toHaveLength(6);
  await blob(4);
  await blob(5);
  expect(asked).toHaveLength(8);
});
