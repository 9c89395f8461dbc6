// The verdict over any mixture of signatures is that of a model which knows who signed what, and nothing of formats.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/registry/digest.ts';
import { SigningError } from '../../src/signing/errors.ts';
import { parseBundle } from '../../src/signing/format/bundle.ts';
import { encodeStatement, signPredicateType } from '../../src/signing/format/statement.ts';
import type { FoundBundle, ReadBundle } from '../../src/signing/verify/found.ts';
import type { Authority, VerificationPolicy } from '../../src/signing/verify/policy.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import {
  authorityOf,
  bundleBytes,
  certificateBundle,
  digest,
  found,
  keylessFor,
  keysetOf,
  nameOf,
  now,
  policyOf,
  repository,
  slsa,
  type TestKey,
  testKey,
  verdictOn,
} from '../unit/signing/verify/support.ts';
import { mutatedBytes } from './support/mutations.ts';

const keys: readonly TestKey[] = [
  testKey('ML-DSA-65'),
  testKey('ECDSA-P256'),
  testKey('ML-DSA-87'),
  testKey('ECDSA-P384'),
  testKey('ECDSA-P256'),
];
/** The last one signs with a certificate. */
const certified = keys.length - 1;
const keyless = keylessFor(keys[certified] ?? testKey('ECDSA-P256'));

const often = fc
  .boolean()
  .chain((yes) => (yes ? fc.constant(true) : fc.integer({ max: 3, min: 0 }).map((n) => n > 0)));
const rarely = often.map((yes) => !yes);

type KeyId = number;
const signers = fc.uniqueArray(fc.nat({ max: keys.length - 1 }), { minLength: 1, maxLength: 3 });

/** One payload, and what claims to be a signature of it. */
interface Signing {
  /** Undefined: it has no binding. */
  readonly names: readonly KeyId[] | undefined;
  readonly here: boolean;
  readonly rightDigest: boolean;
  readonly type: 'signature' | 'attestation';
  /** What the condition looks at. */
  readonly good: boolean;
  readonly signatures: readonly { readonly by: KeyId; readonly valid: boolean; readonly copies: number }[];
}

const signing: fc.Arbitrary<Signing> = signers.chain((names) =>
  fc.record({
    names: fc.option(fc.constant(names), { nil: undefined, freq: 4 }),
    here: often,
    rightDigest: often,
    type: fc.constantFrom('signature', 'signature', 'attestation'),
    good: often,
    // Mostly by those whom it names: what is found to be wrong at once says little.
    signatures: fc.array(
      fc.record({
        by: fc.oneof(fc.constantFrom(...names), fc.nat({ max: keys.length - 1 })),
        valid: often,
        copies: fc.integer({ min: 1, max: 2 }),
      }),
      { maxLength: 4 },
    ),
  }),
);

interface Model {
  readonly signings: readonly Signing[];
  readonly authorities: readonly {
    readonly keysets: readonly { readonly keys: readonly KeyId[]; readonly expired: boolean }[];
    readonly keyless: boolean;
    readonly threshold: number;
  }[];
  readonly bound: boolean;
  readonly attestation: boolean;
  readonly revoked: readonly KeyId[];
  readonly digestRevoked: boolean;
}

/** Keys of one authority are in one keyset each; the certificate's is in none. */
const authority = fc
  .record({
    order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }),
    cuts: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    expired: fc.array(rarely, { minLength: 4, maxLength: 4 }),
    keyless: rarely,
    alone: rarely,
    threshold: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ order, cuts, expired, keyless, alone, threshold }) => {
    const keysets: KeyId[][] = [];
    for (const [at, key] of order.entries()) {
      const last = keysets.at(-1);
      if (last === undefined || cuts[at]) keysets.push([key]);
      else last.push(key);
    }
    const kept = keyless && alone ? [] : keysets;
    return {
      keysets: kept.map((members, at) => ({ keys: members, expired: expired[at] ?? false })),
      keyless,
      threshold: Math.min(threshold, Math.max(kept.length, 1)),
    };
  });

const model: fc.Arbitrary<Model> = fc
  .record({
    authorities: fc.array(authority, { minLength: 1, maxLength: 2 }),
    bound: often,
    attestation: rarely,
    revoked: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      fc.uniqueArray(fc.nat({ max: certified }), { maxLength: 1 }),
    ),
    digestRevoked: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
    signings: fc.array(signing, { maxLength: 5 }),
  })
  .chain((plan) =>
    // Signings that were meant for this policy, some of them incomplete: else almost nothing ever passes.
    fc
      .array(meantFor(plan.authorities), { maxLength: 4 })
      .map((meant) => ({ ...plan, signings: [...plan.signings, ...meant] })),
  );

function meantFor(authorities: Model['authorities']): fc.Arbitrary<Signing> {
  const groups = authorities.flatMap(groupsOf);
  return fc
    .record({
      group: fc.constantFrom(...groups),
      type: fc.constantFrom('signature', 'attestation'),
      drop: fc.nat({ max: 9 }),
      bound: often,
    })
    .map(({ group, type, drop, bound }) => ({
      names: bound ? group.everyone : undefined,
      here: true,
      rightDigest: true,
      type: type as Signing['type'],
      good: true,
      signatures: group.everyone.filter((_, at) => at !== drop).map((by) => ({ by, valid: true, copies: 1 })),
    }));
}

function groupsOf({ keysets, keyless: withCertificate }: Model['authorities'][number]) {
  const beside = withCertificate ? [certified] : [];
  if (keysets.length === 0) return [{ everyone: beside, expired: false }];
  return keysets.map(({ keys: members, expired }) => ({ everyone: [...members, ...beside], expired }));
}

/** What the specification says, in sets. */
function expected(model: Model): boolean {
  const { authorities, attestation, digestRevoked } = model;
  const satisfied = (type: Signing['type']) =>
    authorities.every((each) => {
      const holding = groupsOf(each).filter(
        (group) =>
          !group.expired &&
          model.signings.some((one) => one.type === type && completes(one, group.everyone, model)),
      );
      return holding.length >= each.threshold;
    });
  return !digestRevoked && satisfied('signature') && (!attestation || satisfied('attestation'));
}

/** Whether the payload of `one` is right, and signed by everyone. */
function completes(one: Signing, everyone: readonly KeyId[], { signings, bound, revoked }: Model): boolean {
  const isRight = one.rightDigest && (one.type === 'signature' || one.good) && (one.here || !bound);
  const isForThem = one.names === undefined ? !bound : sameSet(one.names, everyone);
  const have = signings.filter((other) => samePayload(one, other)).flatMap(validSigners);
  return isRight && isForThem && everyone.every((key) => have.includes(key) && !revoked.includes(key));
}

/** Without a random id, statements that say the same are the same bytes. */
function samePayload(a: Signing, b: Signing): boolean {
  if (a === b) return true;
  if (a.names !== undefined || b.names !== undefined) return false;
  return (
    a.type === b.type && a.rightDigest === b.rightDigest && (a.type === 'signature' || a.good === b.good)
  );
}

function validSigners({ signatures }: Signing): KeyId[] {
  return signatures.filter(({ valid }) => valid).map(({ by }) => by);
}

function sameSet(a: readonly KeyId[], b: readonly KeyId[]): boolean {
  return new Set([...a, ...b]).size === a.length && a.length === b.length;
}

let ids = 0;

function payloadOf({ names, here, rightDigest, type, good }: Signing): Buffer {
  const subject = rightDigest ? digest : digestOf(Buffer.from('another image'));
  const isSignature = type === 'signature';
  const predicateType = isSignature ? signPredicateType : slsa;
  ids += 1;
  const binding = {
    v: 1 as const,
    id: ids.toString(16).padStart(32, '0'),
    reference: here ? repository : `${repository}/elsewhere`,
    signedAt: now,
    signers: (names ?? [0]).map((at) => nameOf(keyAt(at))),
  };
  const bytes = encodeStatement({
    subject,
    predicateType,
    binding,
    ...(isSignature ? {} : { predicate: { good } }),
  });
  if (names !== undefined) return bytes;
  const document = JSON.parse(bytes.toString());
  if (isSignature) document.predicate = {};
  delete document.subject[0].annotations.trellis;
  return Buffer.from(JSON.stringify(document));
}

function bundlesOf(one: Signing): FoundBundle[] {
  const payload = payloadOf(one);
  return one.signatures.flatMap(({ by, valid, copies }) => {
    const key = keyAt(by);
    const signer = valid ? key : { ...key, sign: () => key.sign(Buffer.from('something else')) };
    const bundle =
      by === certified ? certificateBundle(signer, payload) : found(bundleBytes(signer, payload));
    return Array<FoundBundle>(copies).fill(bundle);
  });
}

function keyAt(at: KeyId): TestKey {
  const key = keys[at];
  if (key === undefined) throw new Error(`no key ${at}`);
  return key;
}

function policyFor({ authorities, bound, attestation, revoked, digestRevoked }: Model): VerificationPolicy {
  const built = authorities.map(({ keysets, keyless: withCertificate, threshold }, at): Authority => {
    const made = keysets.map(({ keys: members, expired }, index) =>
      keysetOf(`k${index}`, members.map(keyAt), expired ? now : undefined),
    );
    return authorityOf(`a${at}`, made, { threshold, keyless: withCertificate ? keyless : undefined });
  });
  const holds = ({ predicate }: { predicate: unknown }) =>
    (predicate as { good: boolean }).good || 'it is not good';
  return policyOf(built, {
    bindReference: bound ? 'repository' : 'none',
    attestations: attestation ? [{ predicateType: slsa, condition: { text: 'good', holds } }] : [],
    revokedKeys: new Set(revoked.map((at) => keyAt(at).publicKey.spkiSha256)),
    revokedDigests: new Set(digestRevoked ? [digest] : []),
  });
}

describe('the verdict', () => {
  test('is that of the model, in whatever order, and never lost by more', () => {
    const numRuns = fuzzRuns(150);
    const seen = { yes: 0, no: 0 };
    fc.assert(
      fc.property(model, fc.infiniteStream(fc.nat()), (plan, random) => {
        const policy = policyFor(plan);
        const bundles = plan.signings.flatMap(bundlesOf);
        const ok = expected(plan);
        const verdict = verdictOn(bundles, policy);
        expect(verdict.ok).toBe(ok);
        seen[ok ? 'yes' : 'no'] += 1;
        const shuffled = bundles
          .map((bundle) => ({ bundle, at: Number(random.next().value) }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ bundle }) => bundle);
        expect(verdictOn(shuffled, policy).ok).toBe(ok);
        // What is taken away may only take away.
        if (verdictOn(shuffled.slice(0, Math.floor(shuffled.length / 2)), policy).ok) expect(ok).toBe(true);
        for (const { ok: passes, reason } of verdict.authorities) {
          expect(reason).toMatch(passes ? /is satisfied by/ : /is not satisfied|is not asked/);
        }
      }),
      { numRuns },
    );
    // A model that always says no would agree with a verifier that does.
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThanOrEqual(Math.floor(numRuns / 20));
  });

  test('of changed bundles is good for what was signed, or bad', () => {
    const pair = keys.slice(0, 2);
    const policy = policyOf([authorityOf('ci', [keysetOf('k', pair)])]);
    const statement = encodeStatement({
      subject: digest,
      predicateType: signPredicateType,
      binding: { v: 1, id: 'f'.repeat(32), reference: repository, signedAt: now, signers: pair.map(nameOf) },
    });
    const [first, second] = pair.map((key) => bundleBytes(key, statement));
    if (first === undefined || second === undefined) throw new Error('two bundles');
    expect(verdictOn([found(first), found(second)], policy).ok).toBe(true);
    fc.assert(
      fc.property(mutatedBytes(fc.constantFrom(first, second)), fc.boolean(), (bytes, late) => {
        const changed = readable(bytes);
        if (changed === undefined) return;
        for (const half of [first, second]) {
          const verdict = verdictOn(late ? [found(half), changed] : [changed, found(half)], policy);
          const counts = verdict.signatures.some(({ ok, manifest }) => ok && manifest === changed.manifest);
          if (verdict.ok || counts) expect(changed.bundle.payload).toEqual(statement);
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function readable(bytes: Buffer): ReadBundle | undefined {
  try {
    return { kind: 'bundle', manifest: digest, size: bytes.length, bundle: parseBundle(bytes) };
  } catch (error) {
    expect(error).toBeInstanceOf(SigningError);
    return undefined;
  }
}
