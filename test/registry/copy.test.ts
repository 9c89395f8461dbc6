// Copying between real registries of both kinds, by the command.

import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { registerCopy } from '../../src/cli/commands/copy.ts';
import { type PushedManifest, pushTestImage, pushTestIndex } from '../support/registry/images.ts';
import { type RegistryKind, registryKinds, startRegistry, type TestRegistry } from '../support/registry.ts';
import { accessTo, referenceOn, repositoryOn } from './support.ts';

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

async function copy(...args: readonly string[]): Promise<Output> {
  let [stdout, stderr] = ['', ''];
  const program = new Command().exitOverride().configureOutput({
    writeOut: (text) => {
      stdout += text;
    },
    writeErr: (text) => {
      stderr += text;
    },
  });
  registerCopy(program);
  await program.parseAsync(['copy', ...args], { from: 'user' });
  return { stdout, stderr };
}

/** What `trellis copy` needs to speak to a registry. */
const optionsFor = ({ caFile, dockerConfig }: TestRegistry): readonly string[] => [
  ...(caFile === undefined ? [] : ['--registry-ca', caFile]),
  ...['--docker-config', dockerConfig],
];

const pairs = registryKinds.flatMap((from) =>
  registryKinds.map((to): [RegistryKind, RegistryKind] => [from, to]),
);

/** An index with a signature, of which there is a signature, and one of an image of the index. */
async function signedIndex(registry: TestRegistry): Promise<{
  readonly index: PushedManifest;
  readonly referrers: readonly (readonly [PushedManifest, PushedManifest])[];
}> {
  const repository = 'from/here';
  const index = await pushTestIndex(registry, { repository, tag: 'v1' });
  const [image] = index.images;
  if (image === undefined) throw new Error('an index without images');
  const signature = await attachImage(registry, index);
  return {
    index,
    referrers: [
      [index, signature],
      [signature, await attachImage(registry, signature)],
      [image, await attachImage(registry, image)],
    ],
  };
}

async function attachImage(registry: TestRegistry, about: PushedManifest): Promise<PushedManifest> {
  const { mediaType, digest, size } = about;
  const subject = { mediaType, digest, size };
  const pushed = await pushTestImage(registry, { repository: 'from/here', subject });
  const artifact = { manifest: pushed.bytes, blobs: [], artifactType: 'application/x', annotations: {} };
  await accessTo([registry]).client.attach(repositoryOn(registry, 'from/here'), subject, [artifact]);
  return pushed;
}

describe.each(pairs)('from %s to %s', (from, to) => {
  test('with all that refers to it, once and again', async () => {
    const [source, target] = [await startRegistry({ kind: from }), await startRegistry({ kind: to })];
    const { index, referrers } = await signedIndex(source);
    const places = [`${source.host}/from/here:v1`, `${target.host}/to/there:v2`] as const;
    const { stdout, stderr } = await copy(...places, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      source: places[0],
      destination: `${places[1]}@${index.digest}`,
      digest: index.digest,
      manifests: { copied: 6, present: 0 },
      referrers: 3,
    });
    expect(stderr).toContain(`copied manifest ${index.digest}`);

    const { client } = accessTo([target]);
    expect(await client.resolve(referenceOn(target, 'to/there:v2'))).toMatchObject({ digest: index.digest });
    for (const [subject, referrer] of referrers) {
      const { descriptors } = await client.referrers(repositoryOn(target, 'to/there'), subject.digest);
      expect(descriptors.map(({ digest }) => digest)).toEqual([referrer.digest]);
    }
    expect(JSON.parse((await copy(...places, '--json')).stdout)).toMatchObject({
      manifests: { copied: 0, present: 6 },
      blobs: { copied: 0 },
      bytes: 0,
    });
  });
});

test.each(registryKinds)('to and from %s with credentials and TLS, to another repository', async (kind) => {
  const registry = await startRegistry({ kind, auth: 'bearer', tls: true });
  const image = await pushTestImage(registry, { repository: 'from/here', tag: 'v1' });
  const { stdout } = await copy(
    image.reference,
    `${registry.host}/to/there:v1`,
    '--no-referrers',
    ...optionsFor(registry),
  );
  expect(stdout).toContain(`${registry.host}/to/there:v1@${image.digest}\n`);
  const { client } = accessTo([registry]);
  expect((await client.manifest(repositoryOn(registry, 'to/there'), image.digest)).bytes).toEqual(
    image.bytes,
  );
});

test('a layer larger than what is held in memory of it arrives whole', async () => {
  const [source, target] = [
    await startRegistry({ kind: 'distribution' }),
    await startRegistry({ kind: 'ggcr' }),
  ];
  const layer = randomBytes(8 * 1024 * 1024);
  const image = await pushTestImage(source, { repository: 'from/here', layers: [layer, randomBytes(1)] });
  await copy(image.reference, `${target.host}/to/there:v1`);
  const { client } = accessTo([target]);
  const { manifest } = await client.manifest(repositoryOn(target, 'to/there'), image.digest);
  if (manifest.kind !== 'image' || manifest.layers[0] === undefined) throw new Error('no layers');
  const arrived = await client.blob(repositoryOn(target, 'to/there'), manifest.layers[0], layer.byteLength);
  expect(arrived.equals(layer)).toBe(true);
});
