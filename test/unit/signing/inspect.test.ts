import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Digest } from '../../../src/registry/digest.ts';
import { ociIndex } from '../../../src/registry/media-types.ts';
import { parseReference } from '../../../src/registry/reference.ts';
import { encodeKeyBundle } from '../../../src/signing/format/bundle.ts';
import { pae, payloadType } from '../../../src/signing/format/dsse.ts';
import { type InspectOptions, inspect } from '../../../src/signing/inspect.ts';
import { parseTrustedRoot, type TrustedRoot } from '../../../src/signing/keyless/trusted-root.ts';
import { keyHint } from '../../../src/signing/keys/public-key.ts';
import { requestTimestamp } from '../../../src/signing/timestamp/request.ts';
import { defaultVerificationLimits } from '../../../src/signing/verify/limits.ts';
import { startSigstore, type TestSigstore } from '../../support/sigstore.ts';
import { FakeRegistry } from './verify/fake-registry.ts';
import {
  bundleBytes,
  cosignPayload,
  nameOf,
  payloadBy,
  repository,
  slsa,
  testKey,
} from './verify/support.ts';

const mldsa = testKey('ML-DSA-65');
const ecdsa = testKey('ECDSA-P256');

let registry: FakeRegistry;
beforeEach(() => {
  registry = new FakeRegistry();
});

function look(changes: Partial<InspectOptions> = {}) {
  return inspect({
    client: registry.client,
    reference: parseReference(`${repository}:1`),
    now: () => new Date(),
    ...changes,
  });
}

/** As `syft` attaches one: no bundle by its type. */
function attachSbom(name: string) {
  return registry.put(Buffer.from(name), { artifactType: 'application/spdx+json' });
}

describe('lists', () => {
  test('signatures and attestations with what they say of themselves', async () => {
    const payload = payloadBy([mldsa, ecdsa], { annotations: { commit: '4f53' } });
    const signature = registry.attach(bundleBytes(ecdsa, payload));
    const attestation = registry.attach(
      bundleBytes(mldsa, payloadBy([mldsa], { predicateType: slsa, predicate: {} })),
      { predicateType: slsa },
    );
    const { attached, notRead, source } = await look();
    expect([source, notRead]).toEqual(['api', 0]);
    expect(attached).toMatchObject([
      {
        manifest: signature.digest,
        kind: 'signature',
        claims: nameOf(ecdsa),
        binding: { reference: repository, signers: expect.arrayContaining([nameOf(mldsa), nameOf(ecdsa)]) },
        annotations: { commit: '4f53' },
        timestamps: 0,
        timestampVerdict: undefined,
        inTransparencyLog: false,
        problem: undefined,
      },
      { manifest: attestation.digest, kind: 'attestation', predicateType: slsa, claims: nameOf(mldsa) },
    ]);
  });

  test('what cosign signed by itself', async () => {
    registry.attach(bundleBytes(ecdsa, cosignPayload()));
    const { attached } = await look();
    expect(attached).toMatchObject([{ kind: 'signature', binding: undefined }]);
  });

  test('everything else as other, and reads none of it', async () => {
    const sbom = attachSbom('an SBOM');
    const index = registry.put(Buffer.from('an index'), {
      mediaType: ociIndex,
      artifactType: undefined as never,
    });
    const { attached, notRead } = await look();
    expect(notRead).toBe(0);
    expect(attached).toMatchObject([
      { manifest: sbom.digest, kind: 'other', problem: expect.stringMatching(/application\/spdx\+json/) },
      { manifest: index.digest, kind: 'other', problem: expect.stringContaining(ociIndex) },
    ]);
    expect(registry.asked).toEqual(['resolve', expect.stringMatching(/^referrers /)]);
  });

  test('each referrer once, however often the registry does', async () => {
    const listed = registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa])));
    const sbom = attachSbom('an SBOM');
    registry.listed.push(listed, sbom, listed);
    const { attached, notRead } = await look();
    expect(attached.map(({ manifest }) => manifest)).toEqual([listed.digest, sbom.digest]);
    expect(notRead).toBe(0);
  });

  test('what cannot be read, with the reason', async () => {
    const gone = registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa])));
    registry.manifests.delete(gone.digest);
    registry.attach(Buffer.from('{}'));
    registry.attach(bundleBytes(ecdsa, Buffer.from('{}')));
    const { attached } = await look();
    expect(attached).toMatchObject([
      { kind: 'other', problem: expect.stringMatching(/no manifest/) },
      { kind: 'other', problem: expect.stringMatching(/mediaType|media type/) },
      { kind: 'other', problem: expect.stringMatching(/_type/) },
    ]);
  });
});

describe('when there are too many', () => {
  const limits = { ...defaultVerificationLimits, maxReferrers: 3, maxParallel: 2 };

  test('counts only what may be a signature and was not looked at', async () => {
    const signatures: Digest[] = [];
    for (let each = 0; each < 5; each++)
      signatures.push(registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa]))).digest);
    for (let each = 0; each < 4; each++) attachSbom(`SBOM ${each}`);
    const { attached, notRead } = await look({ limits });
    expect(notRead).toBe(2);
    expect(attached.filter(({ kind }) => kind === 'signature').map(({ manifest }) => manifest)).toEqual(
      signatures.slice(0, 3),
    );
    expect(attached.filter(({ kind }) => kind === 'other')).toHaveLength(4);
    expect(registry.asked.filter((each) => each.startsWith('manifest '))).toHaveLength(3);
    expect(registry.mostUnderWay).toBeLessThanOrEqual(2);
  });

  test('junk of other types takes no signature its place', async () => {
    for (let each = 0; each < 10; each++) attachSbom(`SBOM ${each}`);
    registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa])));
    const { attached, notRead } = await look({ limits });
    expect(attached.map(({ kind }) => kind)).toEqual(['signature', ...new Array(10).fill('other')]);
    expect(notRead).toBe(0);
  });
});

describe('time-stamps', () => {
  let sigstore: TestSigstore;
  let trustedRoot: TrustedRoot;
  beforeAll(async () => {
    sigstore = await startSigstore();
    trustedRoot = parseTrustedRoot(sigstore.trustedRoot());
  });

  async function attachStamped(over?: Buffer): Promise<void> {
    const payload = payloadBy([mldsa]);
    const signature = mldsa.sign(pae(payloadType, payload));
    const token = await requestTimestamp(over ?? signature, { tsaUrl: sigstore.tsaUrl, random: randomBytes });
    const hint = keyHint(mldsa.publicKey);
    registry.attach(encodeKeyBundle({ payload, signature, hint, timestamps: [token] }));
  }

  test('verify under a trusted root, and say when', async () => {
    await attachStamped();
    const { attached } = await look({ trustedRoot });
    expect(attached).toMatchObject([
      { timestamps: 1, timestampVerdict: { ok: true, times: [expect.any(Date)] } },
    ]);
  });

  test('are not verified without one', async () => {
    await attachStamped();
    expect((await look()).attached).toMatchObject([{ timestamps: 1, timestampVerdict: undefined }]);
  });

  test('over something else are refused', async () => {
    await attachStamped(Buffer.from('another signature'));
    const { attached } = await look({ trustedRoot });
    expect(attached).toMatchObject([{ timestamps: 1, timestampVerdict: { ok: false } }]);
  });

  test('that are not there have no verdict', async () => {
    registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa])));
    expect((await look({ trustedRoot })).attached).toMatchObject([
      { timestamps: 0, timestampVerdict: undefined },
    ]);
  });
});

test('ends when it is told to', async () => {
  const listed = registry.attach(bundleBytes(ecdsa, payloadBy([ecdsa])));
  registry.manifests.set(listed.digest, Promise.reject(new Error('the connection broke')) as Promise<never>);
  const controller = new AbortController();
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(look({ signal: controller.signal })).rejects.toBe(reason);
});
