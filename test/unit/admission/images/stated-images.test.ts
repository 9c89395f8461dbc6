// What is stated of an image is judged as what a registry has would be: everything that policies say counts, and nothing else.

import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import type { KeySources } from '../../../../src/admission/images/policies/authorities.ts';
import { type StatedImage, statedImageJudge } from '../../../../src/admission/images/stated-images.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { parseReference, repositoryName } from '../../../../src/registry/reference.ts';
import { startSigstore } from '../../../support/sigstore.ts';
import { authority, ec, hybrid, keyset, otherHybrid, policyOf, rule } from './support.ts';

const now = new Date('2026-06-01T00:00:00Z');
const digest: Digest = digestOf(Buffer.from('an image'));
const image = 'registry.example/trading/app:1';
const slsa = 'https://slsa.dev/provenance/v1';
const unsigned: StatedImage = { digest, signedBy: [], attestations: [] };
const signed: StatedImage = { ...unsigned, signedBy: ['ci/ci-2026'] };

const noKeys: KeySources = {
  kms: () => Promise.reject(new Error('no KMS')),
  configMap: async () => undefined,
};

async function judge(
  stated: StatedImage,
  spec: Policy['spec'] | readonly Policy[],
  { at = now, sources = noKeys, name = image } = {},
): Promise<JudgedImage> {
  const known = (repository: string) => (repository === 'registry.example/trading/app' ? stated : undefined);
  const judging = statedImageJudge(
    (reference) => known(repositoryName(reference)),
    sources,
    () => at,
  );
  return await judging.judge({
    reference: parseReference(name),
    policies: Array.isArray(spec) ? spec : [policyOf(spec as Policy['spec'])],
    credentials: { scope: 'tests', source: anonymous },
    signal: new AbortController().signal,
  });
}

async function comesTo(...question: Parameters<typeof judge>): Promise<string> {
  const { decision, requirements } = await judge(...question);
  return [
    decision,
    ...requirements.flatMap(({ outcome, reasons }) => (outcome === 'satisfied' ? [] : reasons)),
  ].join(': ');
}

const by = (...authorities: ReturnType<typeof authority>[]) => ({ images: [rule({ authorities })] });

describe('signatures', () => {
  test('by the keyset, and by nobody', async () => {
    expect(await judge(signed, by(authority()))).toMatchObject({ decision: 'verified', digest });
    expect(await comesTo(unsigned, by(authority()))).toMatch(
      /^denied: .*keyset "ci-2026": there is no valid signature/,
    );
  });

  test('names are of one authority and one keyset', async () => {
    const both = by(authority(), authority({ name: 'release', keysets: [keyset('ci-2026', otherHybrid)] }));
    expect(await comesTo(signed, both)).toMatch(/^denied: authority "release"/);
    expect(await comesTo({ ...unsigned, signedBy: ['ci/ci-2026', 'release/ci-2026'] }, both)).toBe(
      'verified',
    );
    for (const name of ['ci', 'ci/', 'ci/ci-2027', 'ci-2026', 'ci/ci-2026/']) {
      expect((await judge({ ...unsigned, signedBy: [name] }, by(authority()))).decision).toBe('denied');
    }
  });

  test('a threshold counts keysets', async () => {
    const keysets = [keyset('a', hybrid), keyset('b', otherHybrid)];
    const two = by(authority({ threshold: 2, keysets }));
    expect((await judge({ ...unsigned, signedBy: ['ci/a', 'ci/a'] }, two)).decision).toBe('denied');
    expect((await judge({ ...unsigned, signedBy: ['ci/a', 'ci/b'] }, two)).decision).toBe('verified');
  });

  test('a keyset holds until its notAfter, and not at it', async () => {
    const ending = by(authority({ keysets: [keyset('ci-2026', hybrid, { notAfter: now.toISOString() })] }));
    expect((await judge(signed, ending, { at: new Date(now.getTime() - 1) })).decision).toBe('verified');
    expect(await comesTo(signed, ending)).toMatch(/its notAfter was 2026-06-01/);
  });

  test('a keyset with a revoked key, or below a compliance level, does not count', async () => {
    const revoked = { ...by(authority()), revoked: { keys: [ec.publicKey.spkiSha256] } };
    expect(await comesTo(signed, revoked)).toMatch(/^denied: .*is revoked/);
    expect(await comesTo(signed, { ...by(authority()), complianceLevel: 'CNSA-2.0' })).toMatch(
      /^denied: .*CNSA-2\.0/,
    );
  });

  test('a revoked digest is refused, whoever signed it and whatever the enforcement', async () => {
    const revoking = policyOf({ enforcement: 'audit', revoked: { digests: [digest] } }, 'revoking');
    expect(await comesTo(signed, [policyOf(by(authority())), revoking])).toMatch(/^denied: .*is revoked/);
    expect(await comesTo(signed, [revoking])).toMatch(/^denied: /);
  });

  test('every policy must be satisfied, and the first rule that matches decides', async () => {
    const other = policyOf({ images: [{ match: ['registry.example/**'], action: 'deny' }] }, 'other');
    expect((await judge(signed, [policyOf(by(authority())), other])).decision).toBe('denied');
    const first = {
      images: [{ match: [`${repositoryName(parseReference(image))}`], action: 'allow' as const }, rule()],
    };
    expect((await judge(unsigned, first)).decision).toBe('allowed');
  });
});

describe('attestations', () => {
  const asking = (condition?: string) => ({
    images: [
      rule({ attestations: [{ predicateType: slsa, ...(condition !== undefined && { condition }) }] }),
    ],
  });
  const attested = (...attestations: StatedImage['attestations']): StatedImage => ({
    ...signed,
    attestations,
  });
  const by2026 = { predicateType: slsa, predicate: { builder: 'ci' }, signedBy: ['ci/ci-2026'] };

  test('of the type, by the same authority', async () => {
    expect(await comesTo(signed, asking())).toMatch(
      /^denied: attestation https:\/\/slsa\.dev.*no attestation of this/,
    );
    expect(await comesTo(attested(by2026), asking())).toBe('verified');
    expect(await comesTo(attested({ ...by2026, signedBy: [] }), asking())).toMatch(/^denied/);
    expect(await comesTo(attested({ ...by2026, predicateType: 'https://example.com/x' }), asking())).toMatch(
      /^denied/,
    );
  });

  test('whose condition holds: one of several is enough', async () => {
    const condition = asking("predicate.builder == 'ci'");
    const laptop = { ...by2026, predicate: { builder: 'laptop' } };
    expect(await comesTo(attested(by2026), condition)).toBe('verified');
    expect(await comesTo(attested(laptop), condition)).toMatch(/^denied: .*the condition is false/);
    expect(await comesTo(attested(laptop, by2026), condition)).toBe('verified');
    expect(await comesTo(attested({ ...by2026, predicate: {} }), condition)).toMatch(/^denied/);
  });

  test('do not sign the image', async () => {
    expect(await comesTo({ ...unsigned, attestations: [by2026] }, asking())).toMatch(
      /^denied: authority "ci"/,
    );
  });
});

describe('certificates', () => {
  let sources: KeySources;
  let keyless: NonNullable<ReturnType<typeof authority>['keyless']>;
  beforeAll(async () => {
    const bytes = Buffer.from((await startSigstore()).trustedRoot());
    sources = { ...noKeys, configMap: async () => bytes };
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    keyless = {
      issuer: 'https://issuer.example',
      subject: 'ci@example.com',
      trustedRoot: { configMapRef: { name: 'root', key: 'root.json', sha256 } },
    };
  });

  test('of an authority without keysets: it is named alone', async () => {
    const only = by({ name: 'ci', keyless });
    expect(await comesTo({ ...unsigned, signedBy: ['ci'] }, only, { sources })).toBe('verified');
    expect(await comesTo({ ...unsigned, signedBy: ['ci/keyless'] }, only, { sources })).toMatch(/^denied/);
    expect(await comesTo(unsigned, only, { sources })).toMatch(/^denied: .*ci@example\.com/);
  });

  test('beside keysets: who is stated to be in one has signed with both', async () => {
    expect(await comesTo(signed, by(authority({ keyless })), { sources })).toBe('verified');
    expect(await comesTo({ ...unsigned, signedBy: ['ci'] }, by(authority({ keyless })), { sources })).toMatch(
      /^denied/,
    );
  });
});

test('what policies demand before anything is known is what they demand anywhere', () => {
  const { mustBeDigest, needsRegistry } = statedImageJudge(
    () => undefined,
    noKeys,
    () => now,
  );
  const reference = parseReference(image);
  const verifying = policyOf(by(authority()));
  expect(mustBeDigest(reference, [verifying])).toBe(true);
  expect(needsRegistry(reference, [verifying])).toBe(true);
  // Denied, whatever else is demanded.
  const denying = policyOf({ images: [rule({ action: 'deny' })] }, 'denying');
  expect(mustBeDigest(reference, [verifying, denying])).toBe(false);
  expect(needsRegistry(reference, [denying])).toBe(false);
});

describe('what is not stated', () => {
  test('is not known, and says what to do', async () => {
    const reason =
      /^unknown: .*nothing is stated of registry\.example\/trading\/other:1: add it to the images of the test/;
    expect(await comesTo(signed, by(authority()), { name: 'registry.example/trading/other:1' })).toMatch(
      reason,
    );
  });

  test('makes no difference where nothing is asked', async () => {
    const allowing = { images: [{ match: ['**'], action: 'allow' as const }] };
    expect(await comesTo(signed, allowing, { name: 'registry.example/trading/other:1' })).toBe('allowed');
  });

  test('cannot be resolved', async () => {
    const judging = statedImageJudge(
      () => undefined,
      noKeys,
      () => now,
    );
    const question = { reference: parseReference(image), credentials: { scope: 'a', source: anonymous } };
    await expect(
      judging.resolve({ ...question, signal: new AbortController().signal }),
    ).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNREACHABLE',
    });
  });
});
