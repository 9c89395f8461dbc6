import { expect, test } from 'vitest';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { oneLook } from '../../../../src/signing/verify/one-look.ts';
import { digest } from './support.ts';

const repository = { registry: 'registry.example', path: 'app' };

function counting(answer: () => Promise<unknown>) {
  const asked: string[] = [];
  const method = (name: string) => async () => {
    asked.push(name);
    return await answer();
  };
  const client = {
    ...{ resolve: method('resolve'), referrers: method('referrers') },
    ...{ manifest: method('manifest'), blob: method('blob') },
  } as unknown as RegistryClient;
  return { asked, client: oneLook(client) };
}

test('asks once for each thing, also when several ask at the same time', async () => {
  const { asked, client } = counting(async () => ({}));
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
  const { asked, client } = counting(async () => ({}));
  const descriptor = { mediaType: 'a/b', digest, size: 1 };
  await client.resolve({ ...repository, tag: 'a', digest: undefined });
  await client.resolve({ ...repository, tag: 'b', digest: undefined });
  await client.manifest(repository, digest);
  await client.manifest({ ...repository, path: 'other' }, digest);
  await client.blob(repository, descriptor, 10);
  await client.blob(repository, descriptor, 20);
  expect(asked).toHaveLength(6);
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
