import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createContentsCache } from '../../../../../src/admission/images/contents/contents-cache.ts';
import { revokedByContents } from '../../../../../src/admission/images/contents/revocation.ts';
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
  const secret = Buffer.from('secret');
  const readerFor = createContentsCache({ maxBytes, lifeMs, gate, secret, now: () => new Date(now) });
  return (scope: string, tenant = 'trading') => {
    const reader = readerFor(registry, scope, { tenant, request: '1' });
    const ofRevoked = async (repository: string, ...digests: readonly Digest[]) => {
      const found = new Map<Digest, readonly Digest[]>();
      for await (const batch of reader.ofRevoked(parseReference(repository), new Set(digests), signal)) {
        for (const { entry, contents } of batch) found.set(entry, contents.inside);
      }
      return found;
    };
    return {
      ofImage: async (repository: string, digest: Digest) =>
        (await reader.ofImage(parseReference(repository), digest, signal))?.inside,
      ofRevoked: async (repository: string, digest: Digest) =>
        (await ofRevoked(repository, digest)).get(digest),
      ofAllRevoked: ofRevoked,
      /** Whether the image is revoked, as it is asked by whoever judges it. */
      judge: async (repository: string, digest: Digest, revoked: readonly Digest[]) =>
        await revokedByContents({ ...parseReference(repository), digest }, new Set(revoked), reader, signal),
    };
  };
}

const nobody = (count: number) =>
  Array.from({ length: count }, (_, n): Digest => `sha256:${n.toString(16).padStart(64, '0')}`);

test('what was read once is known everywhere, to everyone', async () => {
  const of = cache();
  expect(await of('a').ofImage(app, index)).toEqual([amd]);
  expect(await of('b').ofImage(copy, index)).toEqual([amd]);
  const other = registry.index(app, amd, amd);
  expect(await of('a').ofRevoked(app, other)).toEqual([amd]);
  expect(await of('b').ofRevoked(copy, other)).toEqual([amd]);
  expect(registry.asked).toEqual([`${app}@${index}`, `${app}@${other}`]);
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

test('that while begins when it is asked, and not when it is answered', async () => {
  const { ofRevoked } = cache()('a');
  vi.spyOn(registry, 'manifest').mockImplementationOnce(async () => {
    now = lifeMs - 1;
    throw new RegistryError('ERR_REGISTRY_NOT_FOUND', 'nothing');
  });
  await ofRevoked(copy, index);
  expect(registry.asked).toHaveLength(0);
  now = lifeMs;
  await ofRevoked(copy, index);
  expect(registry.asked).toHaveLength(1);
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
  const { ofImage, ofRevoked } = cache(100_000)('a');
  await ofRevoked(app, index);
  const images = Array.from({ length: 100 }, (_, n) => registry.image(app, `${n}`));
  for (const each of images) await ofImage(app, each);
  registry.asked.length = 0;
  expect(await ofRevoked(app, index)).toEqual([amd]);
  expect(registry.asked).toEqual([]);
  await ofImage(app, images[0] ?? amd);
  expect(registry.asked).toHaveLength(1);
});

describe('a known image costs no request, and needs no registry', () => {
  const known = Array.from({ length: 50 }, (_, n) => `known ${n}`);
  const revoked = nobody(100);
  let judgeAll: () => Promise<void>;
  let of: ReturnType<typeof cache>;
  beforeEach(async () => {
    of = cache(800_000);
    const good = of('node');
    const images = known.map((mark) => registry.image(app, mark));
    judgeAll = async () => {
      for (const each of images) expect(await good.judge(app, each, revoked)).toBeUndefined();
    };
    await judgeAll();
    registry.asked.length = 0;
  });

  test('whatever repositories other tenants name', async () => {
    const evil = of('node', 'evil');
    for (let n = 0; n < 200; n += 1) {
      const name = `registry.example/evil/${n}`;
      await evil.judge(name, registry.image(name, 'any'), revoked);
    }
    registry.asked.length = 0;
    registry.failure = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    await judgeAll();
    expect(registry.asked).toEqual([]);
    await expect(evil.judge('registry.example/evil/0', amd, revoked)).rejects.toThrow('away');
  });

  test('whatever is in the images that other tenants name', async () => {
    const evil = of('node', 'evil');
    for (let n = 0; n < 500; n += 1) {
      const inside = nobody(n % 30).toSorted();
      await evil.ofImage(app, registry.index(app, registry.image(app, `${n}`), ...inside));
    }
    registry.failure = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    registry.asked.length = 0;
    await judgeAll();
    expect(registry.asked).toEqual([]);
  });

  test('whatever the policies of other tenants revoke', async () => {
    const inner = registry.image(app, 'inner');
    const bad = registry.index(app, inner);
    const good = of('node');
    expect(await good.judge(app, inner, [bad])).toMatchObject({ entries: [bad] });
    const evil = of('node', 'evil');
    const theirs = Array.from({ length: 200 }, (_, n) =>
      registry.index(app, ...nobody(10), registry.image(app, `theirs ${n}`)),
    );
    for (const each of theirs) await evil.ofRevoked(app, each);
    registry.asked.length = 0;
    // Also where the index is not: it was seen.
    registry.image(copy, 'inner');
    expect(await good.judge(copy, inner, [bad])).toMatchObject({ entries: [bad] });
    await judgeAll();
    expect(registry.asked).toEqual([]);
  });

  test('also when one digest more is revoked, but for that one', async () => {
    revoked.push(`sha256:${'ff'.repeat(32)}`);
    try {
      await judgeAll();
      expect(registry.asked).toEqual([`${app}@sha256:${'ff'.repeat(32)}`]);
    } finally {
      revoked.pop();
    }
  });
});

describe('what is revoked', () => {
  test('and was read as an image before is known everywhere, and stays so', async () => {
    const { ofImage, ofRevoked } = cache(100_000)('a');
    await ofImage(app, index);
    registry.asked.length = 0;
    expect(await ofRevoked(copy, index)).toEqual([amd]);
    for (let n = 0; n < 100; n += 1) await ofImage(app, registry.image(app, `${n}`));
    registry.asked.length = 0;
    expect(await ofRevoked(copy, index)).toEqual([amd]);
    expect(registry.asked).toEqual([]);
  });

  test('and known is told before anything is asked', async () => {
    const { ofRevoked, judge } = cache()('a');
    await ofRevoked(app, index);
    registry.asked.length = 0;
    expect(await judge(app, amd, [...nobody(20), index])).toMatchObject({ entries: [index] });
    expect(registry.asked).toEqual([`${app}@${amd}`]);
  });

  test('and no manifest is not asked for again, and not known of another repository', async () => {
    const manifest = { mediaType: 'application/vnd.docker.distribution.manifest.v1+json' };
    const strange = registry.put(app, manifest);
    const { ofRevoked } = cache()('a');
    for (let n = 0; n < 3; n += 1) expect(await ofRevoked(app, strange)).toBeUndefined();
    expect(registry.asked).toEqual([`${app}@${strange}`]);
    await ofRevoked(copy, strange);
    expect(registry.asked).toHaveLength(2);
  });

  test('and larger than one may be is read again each time, and never taken for absent', async () => {
    const large = registry.index(app, ...nobody(200));
    const { ofRevoked } = cache(400_000)('a');
    for (let n = 0; n < 3; n += 1) expect(await ofRevoked(app, large)).toHaveLength(200);
    expect(registry.asked).toHaveLength(3);
  });
});

describe('one question makes no more than 256 requests for what is revoked', () => {
  const many = nobody(600);

  test('what is left is not taken for absent: the next questions go on', async () => {
    const last = [...many, index].toSorted().at(-1);
    expect(last).toBe(index);
    const { judge } = cache()('a');
    for (const left of [345, 89]) {
      registry.asked.length = 0;
      await expect(judge(app, amd, [...many, index])).rejects.toMatchObject({
        code: 'ERR_REGISTRY_TOO_LARGE',
        message: expect.stringContaining(`${left} of the digests that are revoked`),
      });
      expect(registry.asked.filter((each) => !each.endsWith(amd))).toHaveLength(256);
    }
    expect(await judge(app, amd, [...many, index])).toMatchObject({ entries: [index] });
  });

  test('what was absent an hour ago is asked about again in parts, and is unknown after a day', async () => {
    const { ofAllRevoked } = cache()('a');
    const ask = async () => {
      registry.asked.length = 0;
      await ofAllRevoked(copy, ...many);
      return registry.asked.length;
    };
    await expect(ask()).rejects.toThrow();
    await expect(ask()).rejects.toThrow();
    expect(await ask()).toBe(88);
    expect(await ask()).toBe(0);
    now = lifeMs;
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([256, 256, 88, 0]);
    now = 25 * lifeMs;
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_REGISTRY_TOO_LARGE' });
  });

  test('nor is anything believed that cannot be asked about again', async () => {
    const { ofAllRevoked } = cache()('a');
    for (const left of [344, 88]) await expect(ofAllRevoked(copy, ...many)).rejects.toThrow(`${left} of`);
    await ofAllRevoked(copy, ...many);
    now = lifeMs;
    registry.failure = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    await expect(ofAllRevoked(copy, ...many)).rejects.toThrow('away');
  });

  test('what was answered when the time was over is not asked for again', async () => {
    const { ofAllRevoked } = cache()('a');
    registry.failAfter = 100;
    await expect(ofAllRevoked(copy, ...many.slice(0, 200))).rejects.toThrow('away');
    registry.failAfter = undefined;
    registry.asked.length = 0;
    await ofAllRevoked(copy, ...many.slice(0, 200));
    expect(registry.asked.length).toBe(100);
  });
});
