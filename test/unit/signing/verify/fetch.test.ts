import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { BundleSource } from '../../../../src/signing/verify/fetch.ts';
import { defaultVerificationLimits, type VerificationLimits } from '../../../../src/signing/verify/limits.ts';
import { FakeRegistry } from './fake-registry.ts';
import { bundleBytes, digest, payloadBy, slsa, testKey } from './support.ts';

const ec = testKey('ECDSA-P256');
const image = { repository: { registry: 'registry.example', path: 'trading/app' }, digest };
const { signal } = new AbortController();

let registry: FakeRegistry;

beforeEach(() => {
  registry = new FakeRegistry();
});

function source(limits: Partial<VerificationLimits>, wantsAttestations = false) {
  return new BundleSource(
    registry.client,
    image,
    { ...defaultVerificationLimits, ...limits },
    wantsAttestations,
  );
}

function attachBundle() {
  const bytes = bundleBytes(ec, payloadBy([ec], { predicateType: slsa, predicate: {} }));
  const listed = registry.attach(bytes);
  return { listed, size: bytes.length };
}

describe('limits hold to the byte', () => {
  test('for a manifest', async () => {
    const { listed } = attachBundle();
    const { size } = listed;
    expect(await source({ maxManifestBytes: size }).fetch(listed, signal)).toMatchObject({ kind: 'bundle' });
    const over = { kind: 'unread', code: 'over-limit', size: undefined };
    expect(await source({ maxManifestBytes: size - 1 }).fetch(listed, signal)).toMatchObject(over);
    // Whatever its size is said to be.
    const lying = { ...listed, size: 1 };
    expect(await source({ maxManifestBytes: size }).fetch(lying, signal)).toMatchObject({ kind: 'bundle' });
    expect(await source({ maxManifestBytes: size - 1 }).fetch(lying, signal)).toMatchObject(over);
  });

  test('for a bundle', async () => {
    const { listed, size } = attachBundle();
    const over = { kind: 'unread', code: 'over-limit', size };
    for (const wantsAttestations of [false, true]) {
      const fetch = (max: number) =>
        source({ maxSignatureBundleBytes: max, maxAttestationBundleBytes: 0 }, wantsAttestations).fetch(
          listed,
          signal,
        );
      expect(await fetch(size)).toMatchObject({ kind: 'bundle', size });
      expect(await fetch(size - 1)).toMatchObject(over);
    }
  });

  test('for all large bundles together, and small ones cost nothing of it', async () => {
    const { listed, size } = attachBundle();
    const bundle = { kind: 'bundle' };
    const over = { kind: 'unread', code: 'over-limit', size };
    const large = source({ maxSignatureBundleBytes: size - 1, maxAttestationBytes: 2 * size }, true);
    expect(await large.fetch(listed, signal)).toMatchObject(bundle);
    expect(await large.fetch(listed, signal)).toMatchObject(bundle);
    expect(await large.fetch(listed, signal)).toMatchObject(over);
    const barelyNot = source({ maxSignatureBundleBytes: size - 1, maxAttestationBytes: size - 1 }, true);
    expect(await barelyNot.fetch(listed, signal)).toMatchObject(over);
    const small = source({ maxSignatureBundleBytes: size, maxAttestationBytes: 0 }, true);
    for (let at = 0; at < 3; at += 1) expect(await small.fetch(listed, signal)).toMatchObject(bundle);
  });
});

describe('what is declared and does not come takes nothing from what may be read', () => {
  /** A manifest whose bundle is said to have `declared` bytes. */
  function lying(declared: number, nth: number, answer: RegistryError) {
    const bytes = Buffer.from(`junk ${nth}`);
    const listed = registry.attach(bytes, {
      edit: (manifest) => {
        const layer = (manifest['layers'] as Record<string, unknown>[])[0] ?? {};
        delete layer['data'];
        layer['size'] = declared;
      },
    });
    registry.blobs.set(digestOf(bytes), answer);
    return listed;
  }

  test.each([
    ['missing', 'ERR_REGISTRY_NOT_FOUND'],
    ['shorter', 'ERR_REGISTRY_DIGEST_MISMATCH'],
    ['longer', 'ERR_REGISTRY_TOO_LARGE'],
  ] as const)('blobs that are %s, listed before and fetched beside a good one', async (_, code) => {
    const { listed, size } = attachBundle();
    const junk = [1, 2, 3].map((nth) =>
      lying(size, nth, new RegistryError(code, 'no', { receivedBytes: 6 })),
    );
    const limited = source({ maxSignatureBundleBytes: size - 1, maxAttestationBytes: size + 18 }, true);
    const found = await Promise.all([...junk, listed].map((each) => limited.fetch(each, signal)));
    expect(found.map(({ kind }) => kind)).toEqual(['unread', 'unread', 'unread', 'bundle']);
  });

  test('bytes that came and were others count', async () => {
    const { listed, size } = attachBundle();
    const error = new RegistryError('ERR_REGISTRY_DIGEST_MISMATCH', 'no', { receivedBytes: 7 });
    const junk = lying(size, 1, error);
    const limited = source({ maxSignatureBundleBytes: size - 1, maxAttestationBytes: size + 6 }, true);
    const found = await Promise.all([junk, listed].map((each) => limited.fetch(each, signal)));
    expect(found).toMatchObject([{ code: 'malformed' }, { code: 'over-limit' }]);
  });
});

test('no more of a manifest is asked for than may be read', async () => {
  const { listed } = attachBundle();
  const asked: unknown[] = [];
  const client: typeof registry.client = {
    ...registry.client,
    manifest: async (...given) => {
      asked.push(given[3]);
      return await registry.client.manifest(...given);
    },
  };
  const limits = { ...defaultVerificationLimits, maxManifestBytes: 12_345 };
  await new BundleSource(client, image, limits, false).fetch(listed, signal);
  expect(asked).toEqual([12_345]);
});

describe('an error', () => {
  test('of the registry while the caller has given up is the caller’s', async () => {
    const { listed } = attachBundle();
    registry.manifests.set(listed.digest, new RegistryError('ERR_REGISTRY_NOT_FOUND', 'gone'));
    const reason = new Error('given up');
    await expect(source({}).fetch(listed, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('that is not the registry’s is no line in a report', async () => {
    const { listed } = attachBundle();
    const fault = new TypeError('a fault');
    registry.manifests.set(listed.digest, Promise.reject(fault));
    await expect(source({}).fetch(listed, signal)).rejects.toBe(fault);
  });

  test('of the registry is kept with its cause', async () => {
    const { listed } = attachBundle();
    const error = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    registry.manifests.set(listed.digest, error);
    expect(await source({}).fetch(listed, signal)).toEqual({
      ...{ kind: 'unread', manifest: listed.digest, size: undefined },
      ...{ code: 'unavailable', reason: 'away', error },
    });
  });
});

test('the limits together are what their description says', () => {
  const {
    maxReferrers,
    maxManifestBytes,
    maxSignatureBundleBytes,
    maxAttestationBytes,
    maxAttestationBundleBytes,
  } = defaultVerificationLimits;
  const mib = 1024 * 1024;
  expect(maxReferrers * (maxManifestBytes + maxSignatureBundleBytes) + maxAttestationBytes).toBe(48 * mib);
  expect(maxAttestationBundleBytes).toBe(8.25 * mib);
});
