import { beforeEach, expect, test } from 'vitest';
import { createContentsCache } from '../../../../../src/admission/images/contents/contents-cache.ts';
import { defaultImageJudgeLimits } from '../../../../../src/admission/images/limits.ts';
import { createGate } from '../../../../../src/admission/images/turns/gate.ts';
import type { Digest } from '../../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../../src/registry/errors.ts';
import { parseReference } from '../../../../../src/registry/reference.ts';
import { IndexRegistry } from '../index-registry.ts';

const app = 'registry.example/trading/app';
const copy = 'registry.example/other/copy';
const lifeMs = 1_000;
const { signal } = new AbortController();
const asker = { tenant: 'trading', request: '1' };

let registry: IndexRegistry;
let amd: Digest;
let index: Digest;
let now: number;
beforeEach(() => {
  registry = new IndexRegistry();
  amd = registry.image(app, 'amd');
  index = registry.index(app, amd);
  now = 0;
});

function cache(maxBytes = 1_000_000) {
  const gate = createGate(defaultImageJudgeLimits);
  const readerFor = createContentsCache({ maxBytes, lifeMs, gate, now: () => new Date(now) });
  return (scope: string) => {
    const reader = readerFor(registry, scope, asker);
    const by = (what: 'ofImage' | 'ofRevoked') => async (repository: string, digest: Digest) =>
      (await reader[what](parseReference(repository), digest, signal))?.inside;
    return { ofImage: by('ofImage'), ofRevoked: by('ofRevoked') };
  };
}

test('what was read once is known everywhere, to everyone', async () => {
  const of = cache();
  expect(await of('a').ofImage(app, index)).toEqual([amd]);
  expect(await of('b').ofImage(copy, index)).toEqual([amd]);
  expect(await of('a').ofRevoked(app, index)).toEqual([amd]);
  expect(await of('b').ofRevoked(copy, index)).toEqual([amd]);
  expect(registry.asked).toEqual([`${app}@${index}`, `${app}@${index}`]);
});

test('is asked for once by all who ask at the same time with the same credentials', async () => {
  const of = cache();
  const asked = ['a', 'a', 'a', 'b'].map((scope) => of(scope).ofImage(app, index));
  expect(await Promise.all(asked)).toEqual([[amd], [amd], [amd], [amd]]);
  expect(registry.asked).toHaveLength(2);
});

test('that what is revoked is not there is believed for a while, of one repository and credentials', async () => {
  const { ofRevoked } = cache()('a');
  expect(await ofRevoked(copy, index)).toBeUndefined();
  expect(await ofRevoked(copy, index)).toBeUndefined();
  expect(registry.asked).toHaveLength(1);
  expect(await ofRevoked(app, index)).toEqual([amd]);
  // Now it is known what it is.
  expect(await ofRevoked(copy, index)).toEqual([amd]);
  expect(registry.asked).toHaveLength(2);
});

test('of others’ credentials, and after that while, it is asked again', async () => {
  const of = cache();
  await of('a').ofRevoked(copy, index);
  await of('b').ofRevoked(copy, index);
  expect(registry.asked).toHaveLength(2);
  now = lifeMs;
  await of('a').ofRevoked(copy, index);
  expect(registry.asked).toHaveLength(3);
});

test('that an image is not there is not remembered: it may be on its way', async () => {
  const { ofImage } = cache()('a');
  expect(await ofImage(copy, index)).toBeUndefined();
  registry.index(copy, amd);
  expect(await ofImage(copy, index)).toEqual([amd]);
});

test('a failure is not remembered', async () => {
  const { ofRevoked } = cache()('a');
  registry.failure = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
  await expect(ofRevoked(app, index)).rejects.toThrow('away');
  registry.failure = undefined;
  expect(await ofRevoked(app, index)).toEqual([amd]);
});

test('however many images somebody asks about, what is revoked stays known', async () => {
  const { ofImage, ofRevoked } = cache(6_000)('a');
  await ofRevoked(app, index);
  const images = Array.from({ length: 20 }, (_, n) => registry.image(app, `${n}`));
  for (const each of images) await ofImage(app, each);
  registry.asked.length = 0;
  expect(await ofRevoked(app, index)).toEqual([amd]);
  expect(registry.asked).toEqual([]);
  await ofImage(app, images[0] ?? amd);
  expect(registry.asked).toHaveLength(1);
});
