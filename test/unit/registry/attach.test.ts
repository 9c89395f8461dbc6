// Attaching to registries with and without the referrers API, and beside other writers.

import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../src/registry/digest.ts';
import type { RegistryOptions } from '../../../src/registry/options.ts';
import { fallbackTag } from '../../../src/registry/referrers.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import {
  type FakeOptions,
  type FakeRegistry,
  fakeRegistry,
  imageType,
  indexType,
} from './support/fake-registry.ts';
import { answer } from './support/server.ts';

const empty = Buffer.from('{}');
const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(empty), size: 2 };
const subject = { mediaType: imageType, digest: digestOf(Buffer.from('subject')), size: 7 };
const tag = fallbackTag(subject.digest);

function artifact(name: string) {
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: imageType,
      config,
      layers: [],
      subject,
      annotations: { name },
    }),
  );
  return { manifest, blobs: [empty], artifactType: 'application/x', annotations: { name } };
}

async function setting(options?: FakeOptions, clientOptions?: RegistryOptions) {
  const registry = await fakeRegistry(options);
  const client = clientFor([registry], clientOptions);
  const attach = (...names: readonly string[]): Promise<readonly Digest[]> =>
    client.attach(repositoryOn(registry), subject, names.map(artifact));
  return { registry, client, attach };
}

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly annotations?: { readonly name: string };
  }[];
  readonly annotations?: unknown;
}

function indexOf(registry: FakeRegistry): Index {
  return JSON.parse(String(registry.manifests.get(tag)?.bytes)) as Index;
}
const namesIn = (registry: FakeRegistry): unknown[] =>
  indexOf(registry).manifests.map(({ annotations }) => annotations?.name);
const writesOf = (registry: FakeRegistry): readonly string[] =>
  registry.lines().filter((line) => line === `PUT /v2/a/b/manifests/${tag}`);

/** What another client writes, which has read the list before. */
function overwrite(registry: FakeRegistry, ...manifests: readonly object[]): void {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  registry.manifests.set(tag, { bytes, mediaType: indexType });
}
const foreign = {
  mediaType: imageType,
  digest: digestOf(Buffer.from('foreign')),
  size: 1,
  annotations: { name: 'f' },
};

test('a registry that says that it lists them is believed', async () => {
  const { registry, attach } = await setting({ saysSubject: true });
  const digests = await attach('a', 'b');
  expect(digests).toEqual(['a', 'b'].map((name) => digestOf(artifact(name).manifest)));
  expect(registry.lines().filter((line) => /GET|referrers/.test(line))).toEqual([]);
  expect(registry.manifests.has(tag)).toBe(false);
});

test('a registry that lists them without saying so gets no tag, which nobody would read', async () => {
  const { registry, attach } = await setting({ referrersApi: true });
  await attach('a', 'b');
  expect(registry.manifests.has(tag)).toBe(false);
});

test('a registry that has the API and does not list them is an error', async () => {
  const { attach } = await setting({
    intercept: (request, response) => {
      if (!request.path.includes('/referrers/')) return false;
      const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [] });
      answer(response, 200, { 'content-type': indexType }, index);
      return true;
    },
  });
  expect(await codeOf(attach('a'))).toBe('ERR_REGISTRY_PROTOCOL');
});

test('a registry that says it about another subject is not believed', async () => {
  const { registry, attach } = await setting({
    intercept: (request, response) => {
      if (request.method !== 'PUT' || request.path.includes(tag) || request.path.includes('/blobs/'))
        return false;
      answer(response, 201, { 'oci-subject': digestOf(Buffer.from('other')) });
      return true;
    },
  });
  await attach('a');
  expect(namesIn(registry)).toEqual(['a']);
});

describe('blobs', () => {
  test('that many share are sent once, and those that are there not at all', async () => {
    const { registry, attach } = await setting();
    await attach('a', 'b');
    const uploads = () =>
      registry.seen.filter(({ method, path }) => method === 'PUT' && path.includes('upload'));
    expect(uploads()).toHaveLength(1);
    expect(registry.blobs.get(config.digest)).toEqual(empty);
    await attach('c');
    expect(uploads()).toHaveLength(1);
  });
});

describe('the fallback index', () => {
  test('is written once for all of them', async () => {
    const { registry, attach } = await setting();
    await attach('a', 'b', 'c');
    expect(namesIn(registry)).toEqual(['a', 'b', 'c']);
    expect(writesOf(registry)).toHaveLength(1);
    expect(indexOf(registry).manifests[0]).toEqual({
      mediaType: imageType,
      digest: digestOf(artifact('a').manifest),
      size: artifact('a').manifest.byteLength,
      artifactType: 'application/x',
      annotations: { name: 'a' },
    });
  });

  test('keeps what others wrote, with members that are not known here', async () => {
    const { registry, attach } = await setting();
    const strange = { ...foreign, 'org.example.new': [1] };
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: indexType,
        manifests: [strange],
        annotations: { x: 'y' },
      }),
    );
    registry.manifests.set(tag, { bytes, mediaType: indexType });
    await attach('a');
    expect(indexOf(registry)).toMatchObject({ manifests: [strange, {}], annotations: { x: 'y' } });
  });

  test('is not written when all is there', async () => {
    const { registry, attach } = await setting();
    await attach('a', 'b');
    await attach('b', 'a');
    expect(writesOf(registry)).toHaveLength(1);
  });

  test('is read again after a pause, and written again when another writer dropped ours', async () => {
    let writes = 0;
    const { registry, client, attach } = await setting(
      {
        intercept: (request, _response, fake) => {
          if (!request.path.includes(tag) || request.method !== 'PUT') return;
          writes += 1;
          // It read the list before we wrote, and writes after: ours is gone.
          if (writes <= 2) setImmediate(() => overwrite(fake, foreign));
        },
      },
      { sleep: async () => await new Promise((resolve) => setTimeout(resolve, 20)) },
    );
    await attach('a', 'b');
    expect(namesIn(registry)).toEqual(['f', 'a', 'b']);
    expect(writesOf(registry)).toHaveLength(3);
    expect((await client.referrers(repositoryOn(registry), subject.digest)).descriptors).toHaveLength(3);
  });

  test('the pause is longer than another writer takes from reading to writing', async () => {
    let seconds = 0;
    const now = (): Date => {
      seconds += 1;
      return new Date(seconds * 1_000);
    };
    const second = { now };
    const { client, attach } = await setting({}, second);
    await attach('a');
    // Twice three times the second that our own write took; and at the least what the limits say.
    expect(client.pauses).toEqual([6_000]);
    const still = { now: () => new Date(0), limits: { settleMs: 100 } };
    const quick = await setting({}, still);
    await quick.attach('a');
    expect(quick.client.pauses).toEqual([200]);
  });

  test('is given up when others never stop', async () => {
    const { registry, attach } = await setting(
      {
        intercept: (request, response) => {
          if (!request.path.includes(tag) || request.method !== 'PUT') return false;
          answer(response, 201);
          return true;
        },
      },
      { limits: { maxIndexAttempts: 4 } },
    );
    expect(await codeOf(attach('a'))).toBe('ERR_REGISTRY_CONFLICT');
    expect(writesOf(registry)).toHaveLength(4);
  });

  test('that is full is an error, and stays as it is', async () => {
    const { registry, attach } = await setting({}, { limits: { maxReferrers: 2 } });
    overwrite(registry, foreign);
    expect(await codeOf(attach('a', 'b'))).toBe('ERR_REGISTRY_TOO_LARGE');
    expect(namesIn(registry)).toEqual(['f']);
    await attach('a');
    expect(namesIn(registry)).toEqual(['f', 'a']);
  });

  test('writers of one client take turns', async () => {
    const { registry, attach } = await setting();
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => attach(name)));
    expect(new Set(namesIn(registry))).toEqual(new Set(['a', 'b', 'c', 'd']));
    expect(writesOf(registry)).toHaveLength(4);
  });
});
