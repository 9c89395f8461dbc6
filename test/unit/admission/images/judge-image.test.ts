import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type JudgedImage,
  type JudgeImageOptions,
  judgeImage,
} from '../../../../src/admission/images/judge-image.ts';
import type { KeySources } from '../../../../src/admission/images/policies/authorities.ts';
import { compileImagePolicies } from '../../../../src/admission/images/policies/compile-image-policies.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import type { ImageRule } from '../../../../src/policy/images/image-requirements.ts';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { SigningError } from '../../../../src/signing/errors.ts';
import { createVerifier } from '../../../../src/signing/verify/verifier.ts';
import type { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { digest, now, repository, slsa, testKey } from '../../signing/verify/support.ts';
import {
  attach,
  authority,
  ec,
  hybrid,
  keyset,
  ml,
  otherHybrid,
  pemOf,
  policyOf,
  rule,
  signedRegistry,
} from './support.ts';

let registry: FakeRegistry;
beforeEach(() => {
  registry = signedRegistry();
});

const never = () => new Promise<never>(() => {});
const nothing: KeySources = { kms: never, configMap: async () => undefined };
const verifier = createVerifier();
const reasonsOf = ({ requirements }: JudgedImage) =>
  requirements.flatMap(({ reasons }) => reasons).join('\n');
const outcomesOf = ({ requirements }: JudgedImage) => requirements.map(({ outcome }) => outcome);

interface Changes extends Partial<JudgeImageOptions> {
  readonly sources?: Partial<KeySources>;
  readonly reference?: string;
}

async function judge(policies: readonly Policy[], changes: Changes = {}): Promise<JudgedImage> {
  const { sources, reference = `${repository}:v1`, ...options } = changes;
  return await judgeImage(
    parseReference(reference),
    compileImagePolicies(policies, { ...nothing, ...sources }),
    { verifier, client: registry.client, now: () => now, ...options },
  );
}

const by = (changes: Partial<ImageRule>, spec: Policy['spec'] = {}) =>
  policyOf({ images: [rule(changes)], ...spec });
const byKeyset = (keys: Parameters<typeof keyset>[1], changes: Parameters<typeof keyset>[2] = {}) =>
  by({ authorities: [authority({ keysets: [keyset('only', keys, changes)] })] });
const provenance = { predicateType: slsa, predicate: { builder: 'ci' } };
const ofKms = (...keys: readonly (typeof ml)[]): Changes => ({
  sources: {
    kms: async (uri) => {
      const key = keys.find(({ publicKey }) => uri.endsWith(publicKey.algorithm));
      if (key === undefined) throw new SigningError('ERR_KMS_KEY', 'no such key');
      return key.publicKey;
    },
  },
});
const kmsKeyset = (...keys: readonly (typeof ml)[]) => ({
  name: 'kms',
  keys: keys.map(({ publicKey: { algorithm } }) => ({ algorithm, kms: `awskms:///alias/${algorithm}` })),
});
const ml87 = testKey('ML-DSA-87');

test('tells the signatures that count from those of keysets that have ended', async () => {
  attach(registry, otherHybrid);
  const ended = keyset('old', otherHybrid, { notAfter: now.toISOString() });
  const policy = by({ authorities: [authority({ keysets: [keyset('new', hybrid), ended] })] });
  const { signatures, counted, ok } = await judge([policy], { exhaustive: true });
  expect([ok, signatures.map((report) => report.ok)]).toEqual([true, [true, true, true, true]]);
  const [first, second] = registry.listed;
  expect([...counted]).toEqual([first?.digest, second?.digest]);
});

test('attestations count, too', async () => {
  attach(registry, hybrid, provenance);
  const { counted } = await judge([by({ attestations: [{ predicateType: slsa }] })]);
  expect([...counted]).toEqual(registry.listed.map((each) => each.digest));
});

/** What makes a yes of it, the one thing that is changed, and what is said then. */
const flips: Record<string, readonly [yes: Policy, no: Policy, reason: RegExp]> = {
  match: [by({}), by({ match: ['registry.example/other/**'] }), /no rule of the policy matches/],
  'order of rules': [
    policyOf({ images: [rule(), rule({ action: 'deny' })] }),
    policyOf({ images: [rule({ action: 'deny' }), rule()] }),
    /the rule that matches the image denies it/,
  ],
  'action: deny': [by({ action: 'verify' }), by({ action: 'deny' }), /denies it/],
  'action: allow': [
    by({ action: 'allow', authorities: [authority({ keysets: [keyset('other', otherHybrid)] })] }),
    by({ authorities: [authority({ keysets: [keyset('other', otherHybrid)] })] }),
    /authority "ci" is not satisfied/,
  ],
  'keys of a keyset': [byKeyset(hybrid), byKeyset(otherHybrid), /no valid signature of ML-DSA-65 key/],
  'one key fewer': [byKeyset(hybrid), byKeyset([ml]), /no keyset of the policy has exactly these keys/],
  'an authority more': [
    by({}),
    by({ authorities: [authority(), { name: 'qa', keysets: [keyset('qa', otherHybrid)] }] }),
    /authority "qa" is not satisfied/,
  ],
  threshold: [
    by({ authorities: [authority({ keysets: [keyset('a', hybrid), keyset('b', otherHybrid)] })] }),
    by({
      authorities: [authority({ threshold: 2, keysets: [keyset('a', hybrid), keyset('b', otherHybrid)] })],
    }),
    /needs 2 of 2 keysets/,
  ],
  notAfter: [
    byKeyset(hybrid, { notAfter: '2026-11-21T12:00:01Z' }),
    byKeyset(hybrid, { notAfter: '2026-11-21T12:00:00Z' }),
    /its notAfter was/,
  ],
  attestations: [
    by({ attestations: [{ predicateType: slsa }] }),
    by({ attestations: [{ predicateType: 'https://spdx.dev/Document' }] }),
    /attestation https:\/\/spdx.dev\/Document: /,
  ],
  condition: [
    by({ attestations: [{ predicateType: slsa, condition: "predicate.builder == 'ci'" }] }),
    by({ attestations: [{ predicateType: slsa, condition: "predicate.builder == 'laptop'" }] }),
    /the condition is false/,
  ],
  'revoked.keys': [
    by({}, { revoked: { keys: ['00'.repeat(32)] } }),
    by({}, { revoked: { keys: [ec.publicKey.spkiSha256] } }),
    /is revoked; sign again/,
  ],
  'revoked.digests': [
    by({}, { revoked: { digests: [`sha256:${'00'.repeat(32)}`] } }),
    by({}, { revoked: { digests: [digest] } }),
    /is revoked, whoever signed it/,
  ],
  'revoked.digests, where it only warns': [
    by({}, { enforcement: 'warn' }),
    by({}, { enforcement: 'warn', revoked: { digests: [digest] } }),
    /is revoked, whoever signed it/,
  ],
  'revoked.digests, where no signature is asked for': [
    by({ action: 'allow' }),
    by({ action: 'allow' }, { revoked: { digests: [digest] } }),
    /is revoked, whoever signed it/,
  ],
  complianceLevel: [
    by({}, { complianceLevel: 'FIPS-140-3-L2' }),
    by({}, { complianceLevel: 'FIPS-140-3-L3' }),
    /keyset ci-2026 does not count under FIPS-140-3-L3 of trading\/images, which asks for keys in a key management service that says it keeps them in hardware \(FIPS 140-3/,
  ],
  'enforcement: warn': [
    by({ action: 'deny' }, { enforcement: 'warn' }),
    by({ action: 'deny' }, { enforcement: 'enforce' }),
    /denies it/,
  ],
  'enforcement: audit': [
    by({ action: 'deny' }, { enforcement: 'audit' }),
    by({ action: 'deny' }),
    /denies it/,
  ],
};

describe('each field of a policy by itself turns the decision', () => {
  test.each(Object.entries(flips))('%s', async (_, [yes, no, reason]) => {
    attach(registry, hybrid, provenance);
    expect((await judge([yes])).ok).toBe(true);
    const denied = await judge([no]);
    expect(denied).toMatchObject({ ok: false, decision: 'denied' });
    expect(reasonsOf(denied)).toMatch(reason);
  });

  test('bindReference', async () => {
    registry.listed.length = 0;
    attach(registry, hybrid, { reference: 'registry.example/elsewhere/app' });
    expect((await judge([by({ bindReference: 'none' })])).ok).toBe(true);
    for (const strict of [by({}), by({ bindReference: 'repository' })]) {
      const denied = await judge([strict]);
      expect(denied.decision).toBe('denied');
      expect(reasonsOf(denied)).toMatch(/it was made for registry\.example\/elsewhere\/app/);
    }
  });

  test('the key in a ConfigMap of the policy’s namespace', async () => {
    const configMapRef = { name: 'trust', key: 'ci.pub', spkiSha256: ml.publicKey.spkiSha256 };
    const keys = [{ algorithm: 'ML-DSA-65' as const, configMapRef }, ...keyset('', [ec]).keys];
    const policy = by({ authorities: [authority({ keysets: [{ name: 'a', keys }] })] });
    const configMap: KeySources['configMap'] = async (namespace, name, key) =>
      `${namespace}/${name}/${key}` === 'trading/trust/ci.pub' ? Buffer.from(pemOf(ml)) : undefined;
    expect((await judge([policy], { sources: { configMap } })).ok).toBe(true);
    const elsewhere = { ...policy, namespace: 'other' };
    const unknown = await judge([elsewhere], { sources: { configMap } });
    expect(unknown.decision).toBe('unknown');
    const swapped = async () => Buffer.from(pemOf(otherHybrid[0] ?? ml));
    const refused = await judge([policy], { sources: { configMap: swapped } });
    expect(refused.ok).toBe(false);
    expect(reasonsOf(refused)).toMatch(/whoever changed the ConfigMap did not change the policy/);
  });
});

describe('the decision', () => {
  test('says whether a signature was verified or none was asked for', async () => {
    expect((await judge([by({})])).decision).toBe('verified');
    expect((await judge([by({ action: 'allow' })])).decision).toBe('allowed');
    expect((await judge([byKeyset(otherHybrid), by({})].slice(1))).digest).toBe(digest);
    const warned = await judge([
      { ...byKeyset(otherHybrid), spec: { ...byKeyset(otherHybrid).spec, enforcement: 'warn' } },
    ]);
    expect(warned).toMatchObject({ decision: 'allowed', ok: true });
    expect(outcomesOf(warned)).toEqual(['unsatisfied']);
  });

  test('is no yes where no policy has rules about images', async () => {
    const judged = await judge([policyOf({ complianceLevel: 'none' })]);
    expect(judged).toMatchObject({ decision: 'no-policy', ok: false, requirements: [] });
    expect(registry.requests()).toBe(0);
    const revoking = policyOf({ revoked: { digests: [digest] } });
    expect(await judge([revoking])).toMatchObject({ decision: 'denied', ok: false });
  });

  test('needs all policies, and carries each of them', async () => {
    const strict = policyOf({ images: [rule({ action: 'deny' })] }, 'strict', 'trellis-system');
    const lax = by({});
    const judged = await judge([lax, strict]);
    expect(judged).toMatchObject({ decision: 'denied', ok: false });
    expect(judged.requirements.map(({ requirement: { policy, name } }) => [policy, name])).toEqual([
      [lax, 'QuantumSecurityPolicy trading/images, rule 1'],
      [strict, 'QuantumSecurityPolicy trellis-system/strict, rule 1'],
    ]);
  });

  test('about an image that is allowed without a signature costs no request', async () => {
    expect(await judge([by({ action: 'allow' })])).toMatchObject({ ok: true, digest: undefined });
    expect(registry.requests()).toBe(0);
  });

  test('about a revoked digest costs no look at signatures, nor at keys', async () => {
    const inKms = { authorities: [authority({ keysets: [kmsKeyset(ml)] })] };
    expect((await judge([by(inKms, { revoked: { digests: [digest] } })])).decision).toBe('denied');
    registry.asked.length = 0;
    await judge([by({}, { revoked: { digests: [digest] } })]);
    expect(registry.asked).toEqual(['resolve']);
  });

  test('is one fetch for any number of policies, and one digest', async () => {
    const alone = await judge([by({})]);
    const cost = registry.requests();
    registry.asked.length = 0;
    registry.tags = [digest, `sha256:${'11'.repeat(32)}`];
    const names = ['a', 'b', 'c', 'd'];
    const judged = await judge(names.map((name) => policyOf({ images: [rule()] }, name)));
    expect(judged).toMatchObject({ ok: true, digest: alone.digest });
    expect(outcomesOf(judged)).toEqual(names.map(() => 'satisfied'));
    expect(registry.requests()).toBe(cost);
    expect(new Set(registry.asked).size).toBe(cost);
  });

  test('lists a bundle once, as the policy sees it that it is good for', async () => {
    const judged = await judge([policyOf(byKeyset(otherHybrid).spec, 'a'), by({})], { exhaustive: true });
    expect(judged.signatures.map(({ ok }) => ok)).toEqual([true, true]);
    expect((await judge([by({}), policyOf(byKeyset(otherHybrid).spec, 'z')])).signatures).toMatchObject([
      { ok: true },
      { ok: true },
    ]);
  });

  test('is about attestations alone when that is asked', async () => {
    const wanting = by({ attestations: [{ predicateType: slsa }] });
    registry.listed.length = 0;
    attach(registry, hybrid, provenance);
    expect((await judge([wanting])).decision).toBe('denied');
    expect((await judge([wanting], { attestationsOnly: true })).decision).toBe('verified');
    const asksForNone = await judge([by({})], { attestationsOnly: true });
    expect(asksForNone).toMatchObject({ decision: 'denied', ok: false });
    expect(reasonsOf(asksForNone)).toBe('it asks for no attestation');
  });
});

describe('what is in the image', () => {
  const elsewhere = `sha256:${'00'.repeat(32)}` as const;
  const revoking = (entry: string) => by({}, { revoked: { digests: [entry] } });
  const containing = (...inside: readonly `sha256:${string}`[]) => ({
    ofImage: async () => ({ names: [], inside }),
    ofRevoked: () => [],
  });

  test('is looked at where digests are revoked, and denied, by the entry that says so', async () => {
    const judged = await judge([revoking(elsewhere)], { contents: containing(elsewhere) });
    expect(judged).toMatchObject({ decision: 'denied', ok: false, digest });
    expect(judged.requirements).toMatchObject([{ outcome: 'unsatisfied', revokedBy: [elsewhere] }]);
    expect(await judge([revoking(elsewhere)], { contents: containing() })).toMatchObject({
      decision: 'verified',
      requirements: [{ requirement: { kind: 'verify' } }],
    });
  });

  test('costs one request, and one for each revoked digest; none where nothing is revoked', async () => {
    await judge([by({ action: 'allow' })], { reference: `${repository}@${digest}` });
    expect(registry.asked).toEqual([]);
    const allowing = by({ action: 'allow' }, { revoked: { digests: [elsewhere] } });
    await judge([allowing], { reference: `${repository}@${digest}` });
    expect(registry.asked).toEqual([`manifest ${digest}`, `manifest ${elsewhere}`]);
  });

  test('that cannot be looked at is no yes, whatever the signatures are', async () => {
    registry.manifests.delete(digest);
    const judged = await judge([revoking(elsewhere)]);
    expect(judged).toMatchObject({ decision: 'unknown', ok: false });
    expect(judged.requirements).toMatchObject([
      { outcome: 'satisfied' },
      {
        outcome: 'unknown',
        requirement: { name: 'revoked digests' },
        error: { code: 'ERR_REGISTRY_NOT_FOUND' },
      },
    ]);
  });

  test('makes no difference to an image that is denied anyway, and is not asked for', async () => {
    const denying = by({ action: 'deny' }, { revoked: { digests: [elsewhere] } });
    const judged = await judge([denying], { reference: `${repository}@${digest}` });
    expect(judged).toMatchObject({ decision: 'denied', requirements: [{ requirement: { kind: 'deny' } }] });
    expect(registry.asked).toEqual([]);
  });

  test('by SHA-512 is refused without a look', async () => {
    const reference = `${repository}@sha512:${'ab'.repeat(64)}`;
    const judged = await judge([revoking(elsewhere)], { reference });
    expect(judged).toMatchObject({ decision: 'denied', requirements: [{ revokedBy: [elsewhere] }] });
    expect(reasonsOf(judged)).toMatch(/name the image by its sha256 digest/);
    expect(registry.asked).toEqual([]);
  });
});

describe('what cannot be asked', () => {
  const away = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');

  test('by a policy that is enforced is no answer, and is told as what it is', async () => {
    registry.listError = away;
    const judged = await judge([by({})]);
    expect(judged).toMatchObject({ decision: 'unknown', ok: false, digest });
    expect(judged.requirements).toMatchObject([{ outcome: 'unknown', error: away }]);
  });

  test('about the tag is not known by any policy', async () => {
    registry.tags = [];
    const judged = await judge([by({}), policyOf({ images: [rule({ action: 'allow' })] }, 'lax')]);
    expect(judged).toMatchObject({ decision: 'unknown', ok: false, digest: undefined });
    expect(outcomesOf(judged)).toEqual(['unknown', 'satisfied']);
  });

  test('about revocation is not passed over, where nothing else asks the registry', async () => {
    registry.tags = [];
    const revoking = by({ action: 'allow' }, { revoked: { digests: [digest] } });
    const judged = await judge([revoking]);
    expect(judged).toMatchObject({ decision: 'unknown', ok: false });
    expect(judged.requirements.at(-1)).toMatchObject({
      outcome: 'unknown',
      requirement: { name: 'revoked digests' },
      error: { code: 'ERR_REGISTRY_NOT_FOUND' },
    });
    // Denied is denied, revoked or not.
    const denying = by({ action: 'deny' }, { revoked: { digests: [digest] } });
    expect((await judge([denying])).decision).toBe('denied');
  });

  test.each(['warn', 'audit'] as const)(
    'by a policy that only %ss takes nothing from the others',
    async (enforcement) => {
      const failing = policyOf(
        { enforcement, images: [rule({ authorities: [authority({ keysets: [kmsKeyset(ml)] })] })] },
        'a-first',
      );
      const judged = await judge([failing, by({})], ofKms());
      expect(judged).toMatchObject({ decision: 'verified', ok: true });
      expect(judged.requirements).toMatchObject([
        { outcome: 'unknown', error: { code: 'ERR_KMS_KEY' } },
        { outcome: 'satisfied' },
      ]);
      expect(reasonsOf(judged)).toContain(
        'it could not be judged: authority ci, keyset kms, ML-DSA-65: no such key',
      );
    },
  );

  test('does not hide that another policy denies for certain', async () => {
    const failing = policyOf(by({ authorities: [authority({ keysets: [kmsKeyset(ml)] })] }).spec, 'a');
    expect((await judge([failing, byKeyset(otherHybrid)], ofKms())).decision).toBe('denied');
  });
});

describe('the deadline', () => {
  const slow = by({ authorities: [authority({ keysets: [kmsKeyset(ml)] })] });
  const late = { decision: 'unknown', requirements: [{ error: { code: 'ERR_VERIFICATION_DEADLINE' } }] };

  test('is for everything, the keys included', async () => {
    expect(await judge([slow], { deadlineMs: 20 })).toMatchObject(late);
  });

  test('is for resolving the tag, also where only a revocation asks for it', async () => {
    const client = { ...registry.client, resolve: never };
    expect(await judge([by({})], { client, deadlineMs: 20 })).toMatchObject(late);
    const revoking = by({ action: 'allow' }, { revoked: { digests: [digest] } });
    const judged = await judge([revoking], { client, deadlineMs: 20 });
    expect(judged.decision).toBe('unknown');
  });

  test('is one for all policies, whichever of them is slow', async () => {
    vi.useFakeTimers();
    try {
      const names = ['a', 'b', 'c'];
      const judged = judge(
        names.map((name) => policyOf(slow.spec, name)),
        { deadlineMs: 1000 },
      );
      await vi.advanceTimersByTimeAsync(1000);
      expect(outcomesOf(await judged)).toEqual(['unknown', 'unknown', 'unknown']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('leaves what was judged by then: a policy that only warns does not spend the time of others', async () => {
    vi.useFakeTimers();
    try {
      const auditing = policyOf({ ...slow.spec, enforcement: 'audit' }, 'a-first');
      const verified = Promise.withResolvers<void>();
      const watched: JudgeImageOptions['verifier'] = {
        verify: (request) => verifier.verify(request).finally(verified.resolve),
      };
      const judging = judge([auditing, by({})], { verifier: watched, deadlineMs: 1000 });
      await verified.promise;
      await vi.advanceTimersByTimeAsync(1000);
      const judged = await judging;
      expect(judged).toMatchObject({ decision: 'verified', ok: true });
      expect(outcomesOf(judged)).toEqual(['unknown', 'satisfied']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('tells the registry and the key management service to stop', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const client = {
      ...registry.client,
      resolve: (reference: Parameters<RegistryClient['resolve']>[0], signal?: AbortSignal) => {
        signals.push(signal);
        return registry.client.resolve(reference);
      },
      referrers: (_repository: unknown, _subject: unknown, signal?: AbortSignal) => {
        signals.push(signal);
        return never();
      },
    };
    const kms = (_uri: string, signal?: AbortSignal) => {
      signals.push(signal);
      return never();
    };
    await judge([slow, policyOf(by({}).spec, 'b')], { client, sources: { kms }, deadlineMs: 20 });
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true, true]);
  });

  test('a caller who gives up gets no judgement at all', async () => {
    const controller = new AbortController();
    const reason = new Error('the request is gone');
    const judged = judge([slow, by({})], { signal: controller.signal });
    controller.abort(reason);
    await expect(judged).rejects.toBe(reason);
  });
});

describe('compliance levels', () => {
  const cnsa = policyOf({ complianceLevel: 'CNSA-2.0' }, 'level', 'trellis-system');

  test('of one policy hold for the authorities of the others', async () => {
    const denied = await judge([cnsa, by({})]);
    expect(denied.decision).toBe('denied');
    expect(reasonsOf(denied)).toMatch(/under CNSA-2\.0 of trellis-system\/level, which asks for ML-DSA-87/);
    expect(registry.requests()).toBe(0);
  });

  test('of a policy that only warns deny nothing in the name of others', async () => {
    const warning = policyOf({ complianceLevel: 'CNSA-2.0', enforcement: 'warn' }, 'level');
    expect((await judge([warning, by({})])).ok).toBe(true);
    const own = by({}, { complianceLevel: 'CNSA-2.0', enforcement: 'warn' });
    const warned = await judge([own]);
    expect(warned.decision).toBe('allowed');
    expect(outcomesOf(warned)).toEqual(['unsatisfied']);
  });

  test('give credit to keys in a key management service, and to nobody who does not say', async () => {
    attach(registry, [ml87]);
    const inKms = by({ authorities: [authority({ keysets: [kmsKeyset(ml87)] })] });
    expect((await judge([cnsa, inKms], ofKms(ml87))).decision).toBe('verified');
    const bare = await judge([cnsa, byKeyset([ml87])], ofKms(ml87));
    expect(bare.decision).toBe('denied');
    expect(reasonsOf(bare)).toMatch(/which asks for keys in a key management service \(NSA CNSA 2\.0 FAQ/);
  });

  test('leave out the keysets that do not count, and say so where the rest does not suffice', async () => {
    const keysets = [keyset('old', hybrid), kmsKeyset(ml87)];
    const both = by({ authorities: [authority({ keysets })] });
    const withoutOthers = await judge([cnsa, both], ofKms(ml87));
    expect(withoutOthers.decision).toBe('denied');
    expect(reasonsOf(withoutOthers)).toMatch(
      /keyset "kms": there is no valid signature.*\n?.*keyset old does not count under CNSA-2\.0/,
    );
    attach(registry, [ml87]);
    expect((await judge([cnsa, both], ofKms(ml87))).decision).toBe('verified');
  });
});
