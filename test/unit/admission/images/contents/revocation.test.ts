import { beforeEach, describe, expect, test } from 'vitest';
import { readingContents } from '../../../../../src/admission/images/contents/image-contents.ts';
import { revokedByContents, revokedByName } from '../../../../../src/admission/images/contents/revocation.ts';
import { type Digest, digestOf } from '../../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../../src/registry/errors.ts';
import { parseReference } from '../../../../../src/registry/reference.ts';
import { IndexRegistry } from '../index-registry.ts';

const app = 'registry.example/trading/app';
const nobody: Digest = `sha256:${'00'.repeat(32)}`;

let registry: IndexRegistry;
let amd: Digest;
let arm: Digest;
let index: Digest;
let other: Digest;
beforeEach(() => {
  registry = new IndexRegistry();
  [amd, arm, other] = [registry.image(app, 'amd'), registry.image(app, 'arm'), registry.image(app, 'other')];
  index = registry.index(app, amd, arm);
});

const { signal } = new AbortController();

async function look(digest: Digest, ...revoked: readonly string[]) {
  const image = { ...parseReference(app), digest };
  return await revokedByContents(image, new Set(revoked), readingContents(registry), signal);
}

describe('the name', () => {
  test('is revoked or not', () => {
    expect(revokedByName(amd, new Set([amd]))).toEqual({
      reason: `${amd} is revoked, whoever signed it; use another image`,
      entries: [amd],
    });
    expect(revokedByName(amd, new Set([arm]))).toBeUndefined();
  });

  test('by SHA-512 cannot be compared, where something is revoked', () => {
    const long = digestOf(registry.bytesOf(app, amd), 'sha512');
    expect(revokedByName(long, new Set([arm]))).toMatchObject({
      reason: expect.stringMatching(/name the image by its sha256 digest/),
      entries: [arm],
    });
    expect(revokedByName(long, new Set())).toBeUndefined();
    expect(revokedByName(long, new Set([long]))).toMatchObject({ entries: [long] });
  });
});

describe('what is in it', () => {
  test('an index with a revoked image, and no other', async () => {
    expect(await look(index, arm)).toEqual({
      reason: `${arm} in it is revoked, whoever signed it; use another image`,
      entries: [arm],
    });
    expect(await look(index, nobody)).toBeUndefined();
    expect(await look(amd, arm)).toBeUndefined();
  });

  test('an image of a revoked index, and no other', async () => {
    expect(await look(amd, nobody, index)).toEqual({
      reason: `${amd} is in ${index}, which is revoked, whoever signed it; use another image`,
      entries: [index],
    });
    expect(await look(other, index)).toBeUndefined();
  });

  test('another index of the same image', async () => {
    const again = registry.index(app, other, arm);
    expect(await look(again, index)).toMatchObject({ entries: [index] });
    expect(await look(registry.index(app, other), index)).toBeUndefined();
  });

  test('as deep as it goes', async () => {
    const outer = registry.index(app, registry.index(app, other, index));
    expect(await look(outer, arm)).toMatchObject({ entries: [arm] });
    expect(await look(outer, index)).toMatchObject({ entries: [index] });
    expect(await look(arm, outer)).toMatchObject({ entries: [outer] });
  });

  test('the same manifest by another algorithm', async () => {
    const long = digestOf(registry.bytesOf(app, amd), 'sha512');
    expect(await look(amd, long)).toMatchObject({ entries: [long] });
    expect(await look(index, long)).toMatchObject({ entries: [long] });
    expect(await look(other, long)).toBeUndefined();
  });

  test('an index that names its images by SHA-512', async () => {
    const long = digestOf(registry.bytesOf(app, amd), 'sha512');
    const named = registry.index(app, long);
    expect(await look(named, amd)).toMatchObject({ reason: expect.stringMatching(/sha256 digest$/) });
    // Also where there is nothing to compare it with.
    expect(await look(named, nobody)).toMatchObject({ reason: expect.stringMatching(/sha256 digest$/) });
  });

  test('costs one request and one for each that is revoked', async () => {
    await look(index, nobody);
    expect(registry.asked).toEqual([`${app}@${index}`, `${app}@${nobody}`]);
  });

  test('of many that are revoked, the last as well as the first', async () => {
    const many = Array.from({ length: 30 }, (_, n): Digest => `sha256:${n.toString(16).padStart(64, '0')}`);
    expect(await look(arm, ...many, index)).toMatchObject({ entries: [index] });
    expect(await look(arm, index, ...many)).toMatchObject({ entries: [index] });
  });
});

describe('what cannot be looked at', () => {
  test('is no answer: the image', async () => {
    await expect(look(nobody, index)).rejects.toMatchObject({ code: 'ERR_REGISTRY_NOT_FOUND' });
    registry.failure = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    await expect(look(amd, index)).rejects.toThrow('away');
  });

  test('is no answer: an index in the index', async () => {
    const inner = registry.index(app, arm, other);
    const outer = registry.index(app, inner);
    registry.remove(app, inner);
    await expect(look(outer, amd)).rejects.toMatchObject({ code: 'ERR_REGISTRY_NOT_FOUND' });
  });

  test('is no answer: what is revoked', async () => {
    const manifest: typeof registry.manifest = async (repository, digest) => {
      if (digest === index) throw new RegistryError('ERR_REGISTRY_DENIED', 'not for you');
      return await registry.manifest(repository, digest);
    };
    const image = { ...parseReference(app), digest: amd };
    const asked = revokedByContents(image, new Set([index]), readingContents({ manifest }), signal);
    await expect(asked).rejects.toThrow('not for you');
  });

  test('has nothing in it: what is revoked and no manifest', async () => {
    const strange = registry.put(app, { mediaType: 'application/vnd.docker.distribution.manifest.v1+json' });
    expect(await look(amd, strange)).toBeUndefined();
    await expect(look(strange, amd)).rejects.toMatchObject({ code: 'ERR_MANIFEST_INVALID' });
  });

  test('is too much: more indexes than anybody makes', async () => {
    const inner = Array.from({ length: 16 }, (_, n) => registry.index(app, registry.image(app, `${n}`)));
    await expect(look(registry.index(app, ...inner), nobody)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
    });
    expect(await look(registry.index(app, ...inner.slice(1)), nobody)).toBeUndefined();
  });
});
