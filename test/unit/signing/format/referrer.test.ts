import { beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { type FetchedManifest, parseManifest } from '../../../../src/registry/manifest.ts';
import { ociManifest } from '../../../../src/registry/media-types.ts';
import {
  maxInlineBundleBytes,
  readReferrer,
  referrerManifest,
} from '../../../../src/signing/format/referrer.ts';
import { changed, type Loose } from './support.ts';

const subject = { mediaType: ociManifest, digest: digestOf(Buffer.from('an image')), size: 410 };
const bundle = Buffer.from('{"a bundle":1}');
const predicateType = 'https://sigstore.dev/cosign/sign/v1';
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
let made: ReturnType<typeof referrerManifest>;
let json: Loose;
beforeAll(() => {
  made = referrerManifest({ subject, bundle, predicateType, created: new Date('2026-11-21T12:00:00.000Z') });
  json = JSON.parse(Buffer.from(made.manifest).toString());
});

function fetched(bytes: Uint8Array): FetchedManifest {
  const manifest = parseManifest(bytes, ociManifest);
  return { digest: digestOf(bytes), bytes: Buffer.from(bytes), mediaType: ociManifest, manifest };
}

describe('the manifest of a bundle', () => {
  test('is what cosign 3 writes, with the bundle inside', () => {
    const annotations = {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': predicateType,
      'org.opencontainers.image.created': '2026-11-21T12:00:00.000Z',
    };
    expect(json).toEqual({
      schemaVersion: 2,
      mediaType: ociManifest,
      artifactType: bundleType,
      config: {
        mediaType: 'application/vnd.oci.empty.v1+json',
        digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        size: 2,
        data: 'e30=',
      },
      layers: [
        {
          mediaType: bundleType,
          digest: digestOf(bundle),
          size: bundle.length,
          data: bundle.toString('base64'),
        },
      ],
      subject,
      annotations,
    });
    expect(made).toMatchObject({ artifactType: bundleType, annotations, blobs: [Buffer.from('{}'), bundle] });
  });

  test('names nothing of the subject but what it is', () => {
    const described = { ...subject, annotations: { tag: 'v1' }, artifactType: 'x/y', data: 'e30=' };
    expect(
      Buffer.from(
        referrerManifest({ subject: described, bundle, predicateType, created: new Date(0) }).manifest,
      ).toString(),
    ).toContain(`"subject":${JSON.stringify(subject)}`);
  });

  test('has large bundles beside it only', () => {
    const layerOf = (size: number) => {
      const { manifest } = referrerManifest({
        subject,
        bundle: Buffer.alloc(size),
        predicateType,
        created: new Date(0),
      });
      return JSON.parse(Buffer.from(manifest).toString()).layers[0];
    };
    expect(layerOf(maxInlineBundleBytes)).toHaveProperty('data');
    expect(layerOf(maxInlineBundleBytes + 1)).not.toHaveProperty('data');
  });
});

describe('a referrer', () => {
  test('is read: its layer is the bundle', () => {
    const reading = readReferrer(fetched(made.manifest), subject.digest);
    expect(reading).toMatchObject({
      kind: 'bundle',
      layer: { digest: digestOf(bundle), size: bundle.length },
    });
  });

  test.each<[string, 'foreign' | 'other-subject', (copy: Loose) => unknown, RegExp]>([
    [
      'of another image',
      'other-subject',
      (copy) => {
        copy.subject.digest = digestOf(Buffer.from('x'));
      },
      /its subject is sha256:/,
    ],
    [
      'of no image',
      'other-subject',
      (copy) => {
        delete copy.subject;
      },
      /its subject is missing/,
    ],
    [
      'of another type',
      'foreign',
      (copy) => {
        copy.artifactType = 'application/spdx+json';
      },
      /it is application\/spdx\+json/,
    ],
    [
      'of no type',
      'foreign',
      (copy) => {
        delete copy.artifactType;
      },
      /it is no artifact of a known type/,
    ],
    [
      'without layers',
      'foreign',
      (copy) => {
        copy.layers = [];
      },
      /it has 0 layers/,
    ],
    [
      'with two layers',
      'foreign',
      (copy) => {
        copy.layers.push(copy.layers[0]);
      },
      /it has 2 layers/,
    ],
    [
      'with another layer',
      'foreign',
      (copy) => {
        copy.layers[0].mediaType = 'a/b';
      },
      /its layer is a\/b/,
    ],
  ])('%s is not ours', (_, kind, change, reason) => {
    const reading = readReferrer(fetched(changed(json, change)), subject.digest);
    expect(reading).toEqual({ kind, reason: expect.stringMatching(reason) });
  });

  test('that is an index is not ours', () => {
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        artifactType: bundleType,
        manifests: json.layers,
        subject,
      }),
    );
    const index = { digest: digestOf(bytes), bytes, mediaType, manifest: parseManifest(bytes, mediaType) };
    expect(readReferrer(index, subject.digest)).toMatchObject({ kind: 'foreign' });
  });
});
