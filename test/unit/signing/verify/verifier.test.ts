import { beforeEach, describe, expect, test, vi } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { RegistryError, type RegistryErrorCode } from '../../../../src/registry/errors.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { createVerifier, type VerificationRequest } from '../../../../src/signing/verify/verifier.ts';
import { failure } from '../support.ts';
import { FakeRegistry } from './fake-registry.ts';
import {
  authorityOf,
  bundleBytes,
  codesOf,
  digest,
  expectDenied,
  keysetOf,
  now,
  payloadBy,
  policyOf,
  reasonsOf,
  repository,
  slsa,
  testKey,
} from './support.ts';

const ml = testKey('ML-DSA-65');
const ec = testKey('ECDSA-P256');
const hybrid = [ml, ec];
const ci = authorityOf('ci', [keysetOf('ci-2026', hybrid)]);
const policy = policyOf([ci]);
const other = digestOf(Buffer.from('another image'));

let registry: FakeRegistry;

beforeEach(() => {
  registry = new FakeRegistry();
});

function attachSigned(keys = hybrid, changes: Parameters<typeof payloadBy>[1] = {}) {
  const payload = payloadBy(keys, changes);
  const { predicateType } = changes;
  return keys.map((key) =>
    registry.attach(bundleBytes(key, payload), predicateType === undefined ? {} : { predicateType }),
  );
}

/** Bundles that look good until their signatures are verified. */
function attachJunk(count: number) {
  for (let at = 0; at < count; at += 1) {
    registry.attach(bundleBytes(ec, payloadBy(hybrid), { signature: Buffer.alloc(70, at) }));
  }
}

function verify(
  changes: Partial<VerificationRequest> = {},
  limits: Parameters<typeof createVerifier>[0] = {},
) {
  return createVerifier(limits).verify({
    reference: parseReference(`${repository}:v1`),
    policy,
    client: registry.client,
    now: () => now,
    ...changes,
  });
}

describe('an image', () => {
  test('is resolved once, and the digest is judged, whatever the tag names afterwards', async () => {
    registry.tags = [digest, other];
    attachSigned();
    const verdict = await verify();
    expect(verdict).toMatchObject({ ok: true, digest, reference: `${repository}:v1` });
    expect(registry.asked.filter((each) => each === 'resolve')).toHaveLength(1);
    expect(registry.asked[1]).toBe(`referrers ${digest}`);
  });

  test('is judged by the digest that the tag named, not by one that is signed', async () => {
    registry.tags = [other, digest];
    attachSigned();
    const verdict = await verify();
    expect(verdict.digest).toBe(other);
    expectDenied(verdict, /its subject is sha256|no valid signature/);
  });

  test('named by a digest is not resolved at all, and a tag beside it means nothing', async () => {
    attachSigned();
    registry.tags = [other];
    const reference = parseReference(`${repository}:v2@${digest}`);
    expect(await verify({ reference })).toMatchObject({ ok: true, digest });
    expect(registry.asked).not.toContain('resolve');
  });

  test('of an index needs a signature of its own', async () => {
    attachSigned();
    const child = await verify({ reference: parseReference(`${repository}@${other}`) });
    expectDenied(child);
    expect(codesOf(child)).toEqual(['other-subject', 'other-subject']);
  });

  test('takes three requests with bundles inside their manifests', async () => {
    attachSigned();
    await verify({ reference: parseReference(`${repository}@${digest}`) });
    expect(registry.requests()).toBe(3);
  });

  test('is fetched once for all authorities and attestations', async () => {
    attachSigned();
    attachSigned(hybrid, { predicateType: slsa, predicate: {} });
    const twice = policyOf([ci, { ...ci, name: 'again' }], {
      attestations: [{ predicateType: slsa, condition: undefined }],
    });
    expect((await verify({ policy: twice })).ok).toBe(true);
    expect(registry.requests()).toBe(1 + 1 + 4);
  });

  test('whose digest is revoked is denied without asking the registry', async () => {
    attachSigned();
    registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    const revoking = policyOf([ci], { revokedDigests: new Set([digest]) });
    expectDenied(await verify({ policy: revoking }), /revokes/);
    expect(registry.asked).toEqual(['resolve']);
  });
});

describe('the registry client’s errors', () => {
  test('of resolving and listing are thrown, never a verdict', async () => {
    registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    await expect(verify()).rejects.toBe(registry.listError);
    registry.tags = [];
    await expect(verify()).rejects.toMatchObject({ code: 'ERR_REGISTRY_NOT_FOUND' });
  });

  test.each<RegistryErrorCode>([
    'ERR_REGISTRY_UNREACHABLE',
    'ERR_REGISTRY_TIMEOUT',
    'ERR_REGISTRY_RATE_LIMITED',
    'ERR_REGISTRY_UNAUTHORIZED',
    'ERR_REGISTRY_DENIED',
    'ERR_REGISTRY_REDIRECT',
  ])('%s of a referrer is thrown when the rest does not suffice', async (code) => {
    const [first] = attachSigned();
    const error = new RegistryError(code, 'not now');
    registry.manifests.set(first?.digest ?? digest, error);
    await expect(verify()).rejects.toBe(error);
    // With another signing beside it nothing is missing.
    attachSigned();
    const verdict = await verify();
    expect(verdict.ok).toBe(true);
    expect(codesOf(verdict)).toContain('unavailable');
  });

  test('of a bundle are treated alike', async () => {
    const payload = payloadBy(hybrid);
    const away = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    const bundles = hybrid.map((key) => bundleBytes(key, payload));
    for (const bytes of bundles) {
      registry.attach(bytes, { edit: (manifest) => delete layerOf(manifest)['data'] });
    }
    expect((await verify()).ok).toBe(true);
    expect(registry.asked.filter((each) => each.startsWith('blob '))).toHaveLength(2);
    const second = digestOf(bundles[1] ?? Buffer.of());
    registry.blobs.set(second, away);
    await expect(verify()).rejects.toBe(away);
    registry.blobs.delete(second);
    expectDenied(await verify(), /has signed, but/);
  });

  test.each<[RegistryErrorCode, string]>([
    ['ERR_REGISTRY_NOT_FOUND', 'missing'],
    ['ERR_MANIFEST_INVALID', 'malformed'],
    ['ERR_JSON_INVALID', 'malformed'],
    ['ERR_DIGEST_INVALID', 'malformed'],
    ['ERR_REGISTRY_DIGEST_MISMATCH', 'malformed'],
    ['ERR_REGISTRY_PROTOCOL', 'malformed'],
    ['ERR_REGISTRY_TOO_LARGE', 'over-limit'],
  ])('%s of junk is a line of the report', async (code, reported) => {
    const junk = registry.attach(bundleBytes(ml, payloadBy(hybrid)));
    registry.manifests.set(junk.digest, new RegistryError(code, 'this is junk'));
    const denied = await verify();
    expectDenied(denied, /1 referrer of the image does not count: this is junk/);
    expect(denied.signatures).toMatchObject([{ manifest: junk.digest, ok: false, code: reported }]);
    attachSigned();
    expect((await verify()).ok).toBe(true);
  });

  test('that are none of its own are not swallowed', async () => {
    const [first] = attachSigned();
    registry.manifests.set(first?.digest ?? digest, Promise.reject(new TypeError('a fault')));
    await expect(verify()).rejects.toThrow('a fault');
  });
});

describe('junk', () => {
  test('that is no bundle is not fetched', async () => {
    for (const changes of [
      { artifactType: 'application/spdx+json' },
      { mediaType: 'application/vnd.oci.image.index.v1+json' },
    ]) {
      for (let at = 0; at < 200; at += 1)
        registry.put(Buffer.from(`junk ${at} ${JSON.stringify(changes)}`), changes);
    }
    attachSigned();
    expect((await verify()).ok).toBe(true);
    expect(registry.requests()).toBe(4);
  });

  test('that does not say it is a signature of the right kind comes last', async () => {
    const types = [undefined, 'application/vnd.oci.empty.v1+json'];
    for (let at = 0; at < 1000; at += 1) {
      const bytes = Buffer.from(`junk ${at}`);
      const { artifactType: _, ...listed } = registry.put(bytes);
      registry.listed.pop();
      const artifactType = types[at % 2];
      registry.listed.push(artifactType === undefined ? listed : { ...listed, artifactType });
    }
    attachSigned();
    expect((await verify()).ok).toBe(true);
    expect(registry.requests()).toBeLessThanOrEqual(2 + 8);
  });

  test('that says it is something else comes after what says it is what is asked for', async () => {
    const saying = (predicateType: string) => ({
      annotations: { 'dev.sigstore.bundle.predicateType': predicateType },
    });
    const put = (type: string, changes: Parameters<typeof payloadBy>[1] = {}) => {
      const payload = payloadBy(hybrid, changes);
      for (const key of hybrid) registry.attach(bundleBytes(key, payload), { descriptor: saying(type) });
    };
    for (let at = 0; at < 200; at += 1) put('https://example.com/other');
    for (let at = 0; at < 20; at += 1) registry.attach(bundleBytes(ec, payloadBy([ec])));
    put(slsa, { predicateType: slsa, predicate: {} });
    put('https://sigstore.dev/cosign/sign/v1');
    const attestations = [{ predicateType: slsa, condition: undefined }];
    expect((await verify({ policy: policyOf([ci], { attestations }) })).ok).toBe(true);
    expect(registry.requests()).toBe(2 + 8);
  });

  test('behind a good signature costs nothing', async () => {
    attachSigned();
    attachJunk(1000);
    const verdict = await verify();
    expect(verdict.ok).toBe(true);
    expect(registry.requests()).toBe(2 + 8);
  });

  test('before a good signature is read up to the limit, and then denies by naming it', async () => {
    attachJunk(1000);
    attachSigned();
    const verdict = await verify();
    expectDenied(verdict, /1002 referrers that may be signatures, and 128 are read at most \(maxReferrers\)/);
    expect(registry.requests()).toBe(2 + 128);
    expect(verdict.signatures).toHaveLength(1002);
    expect(codesOf(verdict).filter((code) => code === 'over-limit')).toHaveLength(1002 - 128);
    expect((await verify({}, { maxReferrers: 1002, maxSignatureChecks: 5000 })).ok).toBe(true);
    expect(registry.mostUnderWay).toBeLessThanOrEqual(8);
    expect(registry.mostUnderWay).toBeGreaterThan(1);
  });

  test('within the limit does not stop a good signature', async () => {
    attachJunk(126);
    attachSigned();
    expect((await verify()).ok).toBe(true);
  });

  test('listed a thousand times is read once', async () => {
    const junk = registry.attach(bundleBytes(ec, payloadBy(hybrid), { signature: Buffer.alloc(70) }));
    for (let at = 0; at < 1000; at += 1) registry.listed.push(junk);
    attachSigned();
    const verdict = await verify({ exhaustive: true });
    expect(verdict.ok).toBe(true);
    expect(verdict.signatures).toHaveLength(3);
  });

  test('with large manifests is not read, whatever the list says', async () => {
    const edit = (manifest: Record<string, unknown>) =>
      Object.assign(manifest, { annotations: { junk: 'x'.repeat(100_000) } });
    const honest = registry.attach(bundleBytes(ml, payloadBy(hybrid)), { edit });
    const lying = registry.attach(bundleBytes(ml, payloadBy(hybrid)), { edit, descriptor: { size: 10 } });
    attachSigned();
    const verdict = await verify({ exhaustive: true });
    expect(verdict.ok).toBe(true);
    expect(registry.asked).not.toContain(`manifest ${honest.digest}`);
    expect(registry.asked).toContain(`manifest ${lying.digest}`);
    expect(verdict.signatures.filter(({ code }) => code === 'over-limit')).toMatchObject(
      [honest, lying].map(({ digest }) => ({
        manifest: digest,
        reason: expect.stringMatching(/more than 98304 \(maxManifestBytes\)/),
      })),
    );
  });

  test('with large bundles is not read', async () => {
    const [algorithm] = attachSigned();
    const bundle = bundleBytes(ml, payloadBy(hybrid, { annotations: { junk: 'x'.repeat(60_000) } }));
    registry.attach(bundle);
    const verdict = await verify({ exhaustive: true });
    expect(algorithm).toBeDefined();
    expect(verdict.ok).toBe(true);
    expect(registry.asked).not.toContain(`blob ${digestOf(bundle)}`);
    expect(verdict.signatures.at(-1)).toMatchObject({
      code: 'over-limit',
      size: bundle.length,
      reason: `its bundle has ${bundle.length} bytes, more than 65536 (maxSignatureBundleBytes)`,
    });
    expect((await verify({}, { maxSignatureBundleBytes: 200_000 })).ok).toBe(true);
  });

  test('with large attestations takes nothing from signatures, and little from attestations', async () => {
    const wanting = policyOf([ci], { attestations: [{ predicateType: slsa, condition: undefined }] });
    const large = { predicateType: slsa, predicate: { sbom: 'x'.repeat(100_000) } };
    for (let at = 0; at < 3; at += 1) {
      registry.attach(bundleBytes(ec, payloadBy(hybrid, large)), { predicateType: slsa });
    }
    attachSigned();
    attachSigned(hybrid, large);
    const limits = { maxAttestationBytes: 500_000 };
    const denied = await verify({ policy: wanting, exhaustive: true }, limits);
    expect(denied.authorities[0]?.ok).toBe(true);
    expectDenied(denied, /almost 500000 bytes, which is the limit \(maxAttestationBytes\)/);
    expect((await verify({ policy: wanting }, { maxAttestationBytes: 1_000_000 })).ok).toBe(true);
    const tooBig = await verify({ policy: wanting }, { maxAttestationBundleBytes: 100_000 });
    expectDenied(tooBig, /more than 100000 \(maxAttestationBundleBytes\)/);
    expect(tooBig.authorities[0]?.ok).toBe(true);
  });

  test('of any kind gets a line that says what it is', async () => {
    const layer = (manifest: Record<string, unknown>) => manifest['layers'] as object[];
    const bytes = bundleBytes(ml, payloadBy(hybrid));
    registry.attach(bytes, { subject: other });
    registry.attach(bytes, { edit: (manifest) => delete manifest['subject'] });
    registry.attach(bytes, {
      edit: (manifest) => Object.assign(manifest, { artifactType: 'application/x' }),
    });
    registry.attach(bytes, { edit: (manifest) => layer(manifest).push(layer(manifest)[0] ?? {}) });
    registry.attach(bytes, { edit: (manifest) => layer(manifest).splice(0) });
    registry.attach(bytes, {
      edit: (manifest) => Object.assign(layer(manifest)[0] ?? {}, { mediaType: 'a/b' }),
    });
    registry.attach(Buffer.from('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.2+json"}'));
    registry.attach(Buffer.from('no JSON'));
    registry.put(Buffer.from('{"schemaVersion":2,"manifests":[],"layers":[]}'));
    const verdict = await verify();
    expectDenied(verdict);
    expect(codesOf(verdict)).toEqual([
      'other-subject',
      'other-subject',
      'foreign',
      'foreign',
      'foreign',
      'foreign',
      'bundle-invalid',
      'bundle-invalid',
      'malformed',
    ]);
  });
});

describe('a report', () => {
  test('has what was looked at; everything when that is asked for', async () => {
    attachSigned();
    for (let at = 0; at < 10; at += 1) attachSigned();
    expect((await verify()).signatures).toHaveLength(8);
    const complete = await verify({ exhaustive: true });
    expect(complete.signatures).toHaveLength(22);
    expect(complete.ok).toBe(true);
    expect(complete.signatures[0]).toMatchObject({
      manifest: registry.listed[0]?.digest,
      size: expect.any(Number),
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      claimed: { algorithm: 'ML-DSA-65', spkiSha256: ml.publicKey.spkiSha256 },
    });
  });

  test('begins with attestations when they are asked for and are the likely ones', async () => {
    attachSigned(hybrid, { predicateType: slsa, predicate: {} });
    attachSigned();
    const verdict = await verify({ exhaustive: true });
    expect(codesOf(verdict)).toEqual(['other-predicate', 'other-predicate', 'valid', 'valid']);
  });
});

describe('time', () => {
  test('runs out: a registry that never answers ends in an error, not in a verdict', async () => {
    const [first] = attachSigned();
    registry.manifests.set(first?.digest ?? digest, new Promise<never>(() => {}));
    await failure('ERR_VERIFICATION_DEADLINE', verify({ deadlineMs: 20 }), /within 20 ms/);
  });

  test('runs out also when another signing would have sufficed in a later round', async () => {
    const [first] = attachSigned();
    registry.manifests.set(first?.digest ?? digest, new Promise<never>(() => {}));
    attachSigned();
    await failure('ERR_VERIFICATION_DEADLINE', verify({ deadlineMs: 20 }), /within 20 ms/);
  });

  test('is not waited for once the caller has given up', async () => {
    const controller = new AbortController();
    const [first] = attachSigned();
    registry.manifests.set(first?.digest ?? digest, new Promise<never>(() => {}));
    const verdict = verify({ signal: controller.signal });
    const reason = new Error('the request is gone');
    controller.abort(reason);
    await expect(verdict).rejects.toBe(reason);
    await expect(verify({ signal: controller.signal })).rejects.toBe(reason);
  });

  test('is read once for one verdict', async () => {
    attachSigned();
    const clock = vi.fn(() => now);
    await verify({ now: clock });
    expect(clock).toHaveBeenCalledTimes(1);
    const notAfter = new Date(now.getTime());
    const expired = policyOf([authorityOf('ci', [keysetOf('k', hybrid, notAfter)])]);
    expectDenied(await verify({ policy: expired }), /notAfter/);
  });
});

test('a policy that cannot mean anything is refused before anything is asked', async () => {
  await failure('ERR_VERIFICATION_POLICY_INVALID', verify({ policy: policyOf([]) }), /no authority/);
  expect(registry.asked).toEqual([]);
});

test('reasons of a denial name authority, keyset and keys', async () => {
  const [reason] = reasonsOf(await verify());
  expect(reason).toBe(
    `authority "ci" is not satisfied: keyset "ci-2026": there is no valid signature of ${hybrid
      .map(({ publicKey }) => `${publicKey.algorithm} key ${publicKey.spkiSha256.slice(0, 12)}`)
      .join(' and ')}; sign with trellis sign`,
  );
});

function layerOf(manifest: Record<string, unknown>): Record<string, unknown> {
  return (manifest['layers'] as Record<string, unknown>[])[0] ?? {};
}
