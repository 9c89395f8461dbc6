import { expect, test } from 'vitest';
import { parseReference } from '../../../../src/registry/reference.ts';
import { subjectsOf } from '../../../../src/signing/sign/subjects.ts';
import { MemoryRegistry } from './memory-registry.ts';
import { reference } from './support.ts';

test('an image is one subject, with everything of its descriptor', async () => {
  const registry = new MemoryRegistry();
  const image = registry.putImage('a');
  for (const recursive of [false, true]) {
    const subjects = await subjectsOf(registry.client, reference, { recursive });
    expect(subjects).toEqual([{ descriptor: image, platform: undefined }]);
  }
});

test('an index is one subject, and is not read, unless its manifests are asked for', async () => {
  const registry = new MemoryRegistry();
  const index = registry.putIndex([registry.putImage('a')]);
  const subjects = await subjectsOf(registry.client, reference, { recursive: false });
  expect(subjects).toEqual([{ descriptor: index, platform: undefined }]);
  expect(registry.asked).toEqual(['resolve']);
});

test('the manifests of an index follow it, each once, however often it lists them', async () => {
  const registry = new MemoryRegistry();
  const [a, b] = [registry.putImage('a'), registry.putImage('b')];
  const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
  const index = registry.putIndex([
    { ...a, platform: arm, annotations: { not: 'of the subject' } },
    b,
    { ...a, platform: arm },
  ]);
  expect(await subjectsOf(registry.client, reference, { recursive: true })).toEqual([
    { descriptor: index, platform: undefined },
    { descriptor: a, platform: 'linux/arm/v7' },
    { descriptor: b, platform: undefined },
  ]);
});

test('a tag is resolved once: the index that it named then is the one that is read', async () => {
  const registry = new MemoryRegistry();
  const a = registry.putImage('a');
  const first = registry.putIndex([a]);
  const later = registry.putIndex([registry.putImage('b')]);
  registry.tags = [first.digest, later.digest];
  const subjects = await subjectsOf(registry.client, reference, { recursive: true });
  expect(subjects.map(({ descriptor }) => descriptor.digest)).toEqual([first.digest, a.digest]);
  expect(registry.asked).toEqual(['resolve', `manifest ${first.digest}`]);
});

test('with a digest, the tag beside it means nothing', async () => {
  const registry = new MemoryRegistry();
  const { digest } = registry.putImage('a');
  registry.putImage('b');
  const named = parseReference(`registry.example/trading/app:v1@${digest}`);
  const [subject] = await subjectsOf(registry.client, named, { recursive: false });
  expect(subject?.descriptor.digest).toBe(digest);
});

test('the signal reaches both requests', async () => {
  const registry = new MemoryRegistry();
  registry.putIndex([registry.putImage('a')]);
  const { signal } = new AbortController();
  await subjectsOf(registry.client, reference, { recursive: true, signal });
  expect(registry.signals).toEqual([signal, signal]);
});
