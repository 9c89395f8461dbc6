import { expect, test } from 'vitest';
import type { Descriptor } from '../../../../src/registry/descriptor.ts';
import { digestOf } from '../../../../src/registry/digest.ts';
import { ociIndex, ociManifest } from '../../../../src/registry/media-types.ts';
import { bundleMediaType } from '../../../../src/signing/format/bundle.ts';
import { likelyFirst } from '../../../../src/signing/verify/likely-first.ts';

function listed(name: string, changes: Partial<Descriptor> = {}): Descriptor {
  const digest = digestOf(Buffer.from(name));
  return { mediaType: ociManifest, digest, size: 1, artifactType: bundleMediaType, ...changes };
}

const about = (predicateType: string) => ({
  annotations: { 'dev.sigstore.bundle.predicateType': predicateType },
});
const wanted = listed('wanted', about('https://a.example'));
const silent = listed('silent');
const { artifactType: _, ...untyped } = listed('untyped');
const empty = listed('empty', { artifactType: 'application/vnd.oci.empty.v1+json' });
const unwanted = listed('unwanted', about('https://b.example'));
const types = new Set(['https://a.example']);

test('those that say they are what is wanted come first, those that say they are not last', () => {
  expect(likelyFirst([unwanted, untyped, empty, silent, wanted], types)).toEqual([
    wanted,
    silent,
    untyped,
    empty,
    unwanted,
  ]);
  expect(likelyFirst([wanted, silent, empty, untyped, unwanted], types)).toEqual([
    wanted,
    silent,
    empty,
    untyped,
    unwanted,
  ]);
});

test('equals stay in the order of the list', () => {
  const many = Array.from({ length: 50 }, (_, at) => listed(`same ${at}`));
  expect(likelyFirst(many, types)).toEqual(many);
});

test('what cannot be a bundle is left out', () => {
  const others = [
    listed('sbom', { artifactType: 'application/spdx+json' }),
    listed('index', { mediaType: ociIndex }),
  ];
  expect(likelyFirst([...others, silent], types)).toEqual([silent]);
});

test('what is listed twice is there once', () => {
  expect(likelyFirst([silent, wanted, silent], types)).toEqual([wanted, silent]);
});
