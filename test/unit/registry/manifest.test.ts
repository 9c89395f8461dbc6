import { describe, expect, test } from 'vitest';
import { defaultManifestLimits, type ManifestLimits, parseManifest } from '../../../src/registry/manifest.ts';
import { kindOf, mediaTypeOf } from '../../../src/registry/media-types.ts';

const imageType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
const dockerType = 'application/vnd.docker.distribution.manifest.v2+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';

const descriptor = { mediaType: 'application/octet-stream', digest: `sha256:${'1'.repeat(64)}`, size: 2 };
const image = { schemaVersion: 2, mediaType: imageType, config: descriptor, layers: [descriptor] };
const index = { schemaVersion: 2, mediaType: indexType, manifests: [descriptor] };

function parse(manifest: unknown, mediaType: string = imageType, limits?: ManifestLimits) {
  const bytes = Buffer.from(typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  return parseManifest(bytes, mediaType, limits);
}

const invalid = expect.objectContaining({ code: 'ERR_MANIFEST_INVALID' });

test('an image', () => {
  expect(parse(image)).toEqual({
    kind: 'image',
    mediaType: imageType,
    config: descriptor,
    layers: [descriptor],
  });
});

test('an index', () => {
  expect(parse(index, indexType)).toEqual({ kind: 'index', mediaType: indexType, manifests: [descriptor] });
});

test('an artifact with a subject', () => {
  const subject = { ...descriptor, digest: `sha512:${'2'.repeat(128)}` };
  const artifact = { ...image, subject, artifactType: 'application/x', annotations: { a: 'b' } };
  expect(parse(artifact)).toMatchObject({ subject, artifactType: 'application/x', annotations: { a: 'b' } });
});

test('all members of a descriptor', () => {
  const full = {
    ...descriptor,
    artifactType: 'application/x',
    annotations: { a: 'b' },
    data: 'e30=',
    platform: { architecture: 'arm', os: 'linux', variant: 'v7' },
    urls: ['https://storage.example/layer'],
  };
  expect(parse({ ...image, config: full })).toMatchObject({ config: full });
});

test.each([dockerType, imageType])('%s without its media type in the body', (mediaType) => {
  const { mediaType: _, ...rest } = image;
  expect(parse(rest, mediaType)).toMatchObject({ kind: 'image', mediaType });
});

test('what Go writes for values it does not have', () => {
  expect(parse({ ...image, layers: null, annotations: null, artifactType: '' })).toEqual({
    kind: 'image',
    mediaType: imageType,
    config: descriptor,
    layers: [],
  });
});

describe('is refused when it', () => {
  test.each([
    ['is an index and an image (CVE-2021-41190)', { ...image, ...index, mediaType: imageType }, imageType],
    ['is an image and an index (CVE-2021-41190)', { ...image, ...index }, indexType],
    ['is an index with a config', { ...index, config: descriptor }, indexType],
    ['is an index with layers', { ...index, layers: [] }, indexType],
    ['is of schema 1 as well', { ...image, fsLayers: [] }, imageType],
    ['has a history of schema 1', { ...image, history: [] }, imageType],
    ['says that it is an index, in an answer that says it is an image', index, imageType],
    ['says that it is an image, in an answer that says it is an index', image, indexType],
    ["says that it is OCI's, in an answer that says it is Docker's", image, dockerType],
    ["says that it is OCI's list, in an answer that says it is Docker's", index, dockerList],
    ['comes as JSON', image, 'application/json'],
    ['comes as schema 1', image, 'application/vnd.docker.distribution.manifest.v1+json'],
    ['has no schemaVersion', { ...image, schemaVersion: undefined }, imageType],
    ['has schemaVersion 1', { ...image, schemaVersion: 1 }, imageType],
    ['has schemaVersion 2 as text', { ...image, schemaVersion: '2' }, imageType],
    ['has no config', { ...image, config: undefined }, imageType],
    ['has no layers', { ...image, layers: undefined }, imageType],
    ['has layers that are no list', { ...image, layers: {} }, imageType],
    ['has no manifests', { ...index, manifests: undefined }, indexType],
    ['has an empty subject', { ...image, subject: null }, imageType],
    ['is no object', [], imageType],
    // Go's encoding/json, which runs containers, takes these for the members they resemble.
    ['has Layers', { ...image, Layers: [descriptor] }, imageType],
    ['has MANIFESTS', { ...image, MANIFESTS: [] }, imageType],
    ['has layerſ, with a long s', { ...image, layerſ: [descriptor] }, imageType],
    [
      'has a descriptor with Digest',
      { ...image, config: { ...descriptor, Digest: descriptor.digest } },
      imageType,
    ],
    ['has a descriptor with ſize', { ...image, config: { ...descriptor, ſize: 3 } }, imageType],
  ])('%s', (_, manifest, mediaType) => {
    expect(() => parse(manifest, mediaType)).toThrow(invalid);
  });

  test.each([
    ['no digest', { digest: undefined }],
    ['a digest of MD5', { digest: `md5:${'0'.repeat(32)}` }],
    ['a digest that climbs', { digest: 'sha256:../../x' }],
    ['no size', { size: undefined }],
    ['a negative size', { size: -1 }],
    ['half a byte', { size: 0.5 }],
    ['a size that a number cannot hold', { size: 2 ** 53 }],
    ['a size as text', { size: '2' }],
    ['no media type', { mediaType: undefined }],
    ['an empty media type', { mediaType: '' }],
    ['a media type with a line end', { mediaType: 'a/b\r\nx: y' }],
    ['annotations that are a list', { annotations: [] }],
    ['an annotation that is a number', { annotations: { a: 1 } }],
    ['data that is no text', { data: 1 }],
    ['a platform without os', { platform: { architecture: 'amd64' } }],
    ['urls that are no list', { urls: 'https://storage.example' }],
  ])('has a descriptor with %s', (_, change) => {
    const changed = { ...descriptor, ...change };
    expect(() => parse({ ...image, layers: [changed] })).toThrow(invalid);
    expect(() => parse({ ...image, config: changed })).toThrow(invalid);
    expect(() => parse({ ...image, subject: changed })).toThrow(invalid);
    expect(() => parse({ ...index, manifests: [changed] }, indexType)).toThrow(invalid);
  });

  test('has a member twice, which readers resolve differently', () => {
    const twice = JSON.stringify(image).replace('"layers"', '"layers":[],"layers"');
    expect(() => parse(twice)).toThrow(expect.objectContaining({ code: 'ERR_JSON_INVALID' }));
  });
});

describe('limits', () => {
  const limits = { maxBytes: 10_000, maxEntries: 2 };

  test('on entries', () => {
    const three = [descriptor, descriptor, descriptor];
    const tooLarge = expect.objectContaining({ code: 'ERR_REGISTRY_TOO_LARGE' });
    expect(() => parse({ ...image, layers: three }, imageType, limits)).toThrow(tooLarge);
    expect(() => parse({ ...index, manifests: three }, indexType, limits)).toThrow(tooLarge);
    expect(parse({ ...image, layers: three.slice(1) }, imageType, limits)).toMatchObject({ kind: 'image' });
  });

  test('on bytes', () => {
    const bytes = Buffer.byteLength(JSON.stringify(image));
    expect(() => parse(image, imageType, { ...limits, maxBytes: bytes - 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_TOO_LARGE' }),
    );
    expect(parse(image, imageType, { ...limits, maxBytes: bytes })).toMatchObject({ kind: 'image' });
  });

  test('by default allow 1,000 referrers in a list', () => {
    const manifests = Array.from({ length: 1_000 }, () => descriptor);
    expect(defaultManifestLimits.maxEntries).toBeGreaterThan(1_000);
    expect(parse({ ...index, manifests }, indexType)).toMatchObject({ kind: 'index' });
  });
});

test.each([
  [imageType, 'image'],
  [dockerType, 'image'],
  [indexType, 'index'],
  [dockerList, 'index'],
  ['application/vnd.docker.distribution.manifest.v1+prettyjws', undefined],
  ['toString', undefined],
])('%s is %s', (mediaType, kind) => {
  expect(kindOf(mediaType)).toBe(kind);
});

test.each([
  ['application/json', 'application/json'],
  [' Application/JSON ; charset=utf-8', 'application/json'],
  ['', undefined],
  [undefined, undefined],
])('the media type of the header %j', (header, mediaType) => {
  expect(mediaTypeOf(header)).toBe(mediaType);
});
