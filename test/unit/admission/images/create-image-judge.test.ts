import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ImageJudgeOptions,
  imageJudgeOver,
} from '../../../../src/admission/images/create-image-judge.ts';
import type { ImageQuestion } from '../../../../src/admission/images/image-judge.ts';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import type { ImageJudgeLimits } from '../../../../src/admission/images/limits.ts';
import type { KeySources } from '../../../../src/admission/images/policies/authorities.ts';
import type { Asker } from '../../../../src/admission/images/turns/asker.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import type { ImageRule } from '../../../../src/policy/images/image-requirements.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import type { Digest } from '../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { SigningError } from '../../../../src/signing/errors.ts';
import { until } from '../../../support/until.ts';
import type { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { digest, repository, slsa, now as start } from '../../signing/verify/support.ts';
import {
  attach,
  authority,
  ec,
  hybrid,
  keyset,
  ml,
  otherHybrid,
  policyOf,
  rule,
  signedRegistry,
} from './support.ts';

let registry: FakeRegistry;
let now: Date;
beforeEach(() => {
  registry = signedRegistry();
  now = start;
});

const minute = 60_000;
const later = (ms: number) => {
  now = new Date(start.getTime() + ms);
};
const nothing: KeySources = {
  kms: () => Promise.reject(new Error('no key management service')),
  configMap: () => Promise.resolve(undefined),
};
const away = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'the registry is away');
const pinned = `${repository}@${digest}`;
const elsewhere: Digest = `sha256:${'11'.repeat(32)}`;

interface Setting {
  readonly limits?: Partial<ImageJudgeLimits>;
  readonly sources?: Partial<KeySources>;
  readonly maxParallel?: number;
  /** In place of the registry of this test. */
  readonly client?: (scope: string) => RegistryClient;
  readonly withheld?: ImageJudgeOptions['withheld'];
}

function judgeOver({ limits, sources, maxParallel, withheld, client = () => registry.client }: Setting = {}) {
  return imageJudgeOver(({ scope }) => client(scope), {
    keySources: { ...nothing, ...sources },
    now: () => now,
    ...(limits && { limits }),
    ...(withheld && { withheld }),
    ...(maxParallel !== undefined && { verification: { maxParallel } }),
  });
}

const { signal } = new AbortController();

function question(policies: readonly Policy[], changes: Changes = {}): ImageQuestion {
  const { reference = pinned, scope = 'node', ...rest } = changes;
  return {
    ...{ reference: parseReference(reference), policies, signal },
    credentials: { scope, source: anonymous },
    ...rest,
  };
}

interface Changes {
  readonly reference?: string;
  readonly scope?: string;
  readonly asker?: Asker;
  readonly signal?: AbortSignal;
}

const by = (changes: Partial<ImageRule> = {}, spec: Policy['spec'] = {}) =>
  policyOf({ images: [rule(changes)], ...spec });
const byKeysets = (threshold: number, ...keysets: Parameters<typeof keyset>[]) =>
  by({ authorities: [authority({ threshold, keysets: keysets.map((each) => keyset(...each)) })] });
const reasonsOf = ({ requirements }: JudgedImage) =>
  requirements.flatMap(({ reasons }) => reasons).join('\n');

/** The list of referrers is given when it is let go, as it was when it was asked for. */
function heldLists() {
  const asked: { letGo: () => void; signal: AbortSignal | undefined }[] = [];
  const client: RegistryClient = {
    ...registry.client,
    referrers: async (where, subject, listSignal) => {
      const { descriptors, source } = await registry.referrers(where, subject);
      const list = [...descriptors];
      const held = Promise.withResolvers<void>();
      asked.push({ letGo: held.resolve, signal: listSignal });
      listSignal?.addEventListener('abort', () => held.reject(listSignal.reason));
      await held.promise;
      return { descriptors: list, source };
    },
  };
  return { asked, client };
}

describe('what was found good is remembered', () => {
  test('so that the same digest costs no request, whoever asks', async () => {
    const judge = judgeOver();
    const policy = by();
    expect((await judge.judge(question([policy]))).decision).toBe('verified');
    const cost = registry.requests();
    expect(cost).toBeGreaterThan(0);
    const again = await judge.judge(question([policy], { scope: 'another' }));
    expect(again).toMatchObject({ decision: 'verified', digest });
    expect(again.signatures.map(({ code }) => code)).toEqual(['valid', 'valid']);
    expect(registry.requests()).toBe(cost);
    expect(judge.stats()).toMatchObject({ hits: 1, misses: 1, entries: 1, looksUnderWay: 0 });
    expect(judge.stats().bytes).toBeGreaterThan(0);
  });

  test('while the registry is away', async () => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    registry.listError = away;
    expect((await judge.judge(question([by()]))).decision).toBe('verified');
  });

  test('under other names, and for policies that ask the same of signatures', async () => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    const cost = registry.requests();
    const renamed = policyOf(
      {
        images: [rule({ authorities: [authority({ name: 'release', keysets: [keyset('other', hybrid)] })] })],
      },
      'second',
    );
    const judged = await judge.judge(question([renamed]));
    expect(registry.requests()).toBe(cost);
    expect(reasonsOf(judged)).toBe('authority "release" is satisfied by keyset "other"');
  });

  test('for as long as it may be, and not by a clock that was set back', async () => {
    const judge = judgeOver({ limits: { cacheLifeMs: 10 * minute } });
    const ask = async () => {
      registry.asked.length = 0;
      expect((await judge.judge(question([by()]))).decision).toBe('verified');
      return registry.requests() > 0;
    };
    expect(await ask()).toBe(true);
    later(10 * minute - 1);
    expect(await ask()).toBe(false);
    later(10 * minute);
    expect(await ask()).toBe(true);
    later(-minute);
    expect(await ask()).toBe(true);
    expect(judge.stats().entries).toBe(1);
  });

  test('within its bytes, the last ones', async () => {
    const policies = Array.from({ length: 60 }, (_, index) =>
      // Each of them is another question about the image.
      by({}, { revoked: { keys: [index.toString(16).padStart(64, '0')] } }),
    );
    const alone = judgeOver();
    await alone.judge(question([by()]));
    const one = alone.stats().bytes;
    const judge = judgeOver({ limits: { maxCacheBytes: 20 * one + 1 } });
    for (const policy of policies) await judge.judge(question([policy]));
    expect(judge.stats()).toMatchObject({ entries: 20, misses: 60 });
    expect(judge.stats().bytes).toBeLessThanOrEqual(20 * one + 1);
    registry.asked.length = 0;
    for (const policy of policies.slice(-20)) await judge.judge(question([policy]));
    expect(registry.asked).toEqual([]);
  });
});

describe('what is remembered is not enough', () => {
  test('for a tag, which is asked about each time', async () => {
    const judge = judgeOver();
    registry.tags = [digest, elsewhere];
    const tagged = question([by()], { reference: `${repository}:v1` });
    expect(await judge.judge(tagged)).toMatchObject({ decision: 'verified', digest });
    expect(await judge.judge(tagged)).toMatchObject({ decision: 'denied', digest: elsewhere });
    expect(registry.asked.filter((each) => each === 'resolve')).toHaveLength(2);
  });

  test('for the same digest in another repository', async () => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    const other = `registry.example/trading/copy@${digest}`;
    const denied = await judge.judge(question([by()], { reference: other }));
    expect(denied.decision).toBe('denied');
    expect(reasonsOf(denied)).toMatch(/it was made for registry\.example\/trading\/app/);
  });

  test.each<[string, Policy, RegExp]>([
    ['other keys', byKeysets(1, ['ci-2026', otherHybrid]), /no valid signature/],
    ['a key that is revoked', by({}, { revoked: { keys: [ml.publicKey.spkiSha256] } }), /is revoked/],
    ['a higher threshold', byKeysets(2, ['a', [ml]], ['b', [ec]]), /needs 2 of 2/],
    ['an attestation', by({ attestations: [{ predicateType: slsa }] }), /attestation https:\/\/slsa\.dev/],
  ])('for a policy with %s', async (_, policy, reason) => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    registry.asked.length = 0;
    const denied = await judge.judge(question([policy]));
    expect(denied.decision).toBe('denied');
    expect(reasonsOf(denied)).toMatch(reason);
    expect(registry.requests()).toBeGreaterThan(0);
  });

  test('for a digest that has been revoked since', async () => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    registry.asked.length = 0;
    const denied = await judge.judge(question([by({}, { revoked: { digests: [digest] } })]));
    expect(denied.decision).toBe('denied');
    expect(registry.asked).toEqual([]);
  });

  test('once notAfter has passed', async () => {
    const judge = judgeOver();
    const notAfter = new Date(start.getTime() + minute).toISOString();
    const policy = byKeysets(1, ['ci-2026', hybrid, { notAfter }]);
    expect((await judge.judge(question([policy]))).decision).toBe('verified');
    later(minute);
    const denied = await judge.judge(question([policy]));
    expect(denied.decision).toBe('denied');
    expect(reasonsOf(denied)).toMatch(/its notAfter was/);
  });

  test('for another condition: it is evaluated over what was remembered', async () => {
    attach(registry, hybrid, { predicateType: slsa, predicate: { builder: 'ci' } });
    const judge = judgeOver();
    const asking = (condition: string) => by({ attestations: [{ predicateType: slsa, condition }] });
    expect((await judge.judge(question([asking('predicate.builder == "ci"')]))).decision).toBe('verified');
    const cost = registry.requests();
    expect((await judge.judge(question([asking('has(predicate.builder)')]))).decision).toBe('verified');
    expect(registry.requests()).toBe(cost);
    const denied = await judge.judge(question([asking('predicate.builder == "me"')]));
    expect(denied.decision).toBe('denied');
    expect(reasonsOf(denied)).toMatch(/does not hold/);
  });

  test('for a no: where reading had stopped, there is more to see', async () => {
    const judge = judgeOver({ maxParallel: 1 });
    const keysets: Parameters<typeof keyset>[] = [
      ['a', [ec]],
      ['b', [ml]],
    ];
    registry.listed.length = 0;
    for (const [, keys] of keysets) attach(registry, keys);
    const [one, both] = [byKeysets(1, ...keysets), byKeysets(2, ...keysets)];
    expect((await judge.judge(question([one]))).signatures).toHaveLength(1);
    expect((await judge.judge(question([both]))).decision).toBe('verified');
    // What has been found since serves both.
    registry.asked.length = 0;
    expect((await judge.judge(question([one]))).decision).toBe('verified');
    expect((await judge.judge(question([both]))).decision).toBe('verified');
    expect(registry.asked).toEqual([]);
  });
});

describe('what is not remembered', () => {
  test('that a registry failed', async () => {
    const judge = judgeOver();
    registry.listError = away;
    const failed = await judge.judge(question([by()]));
    expect(failed).toMatchObject({ decision: 'unknown', ok: false });
    expect(reasonsOf(failed)).toMatch(/the registry is away/);
    registry.listError = undefined;
    expect((await judge.judge(question([by()]))).decision).toBe('verified');
  });

  test('that a registry failed to give a referrer', async () => {
    const judge = judgeOver();
    const [first] = registry.listed;
    if (first === undefined) throw new Error('no signature');
    const bytes = registry.manifests.get(first.digest);
    registry.manifests.set(first.digest, away);
    expect((await judge.judge(question([by()]))).decision).toBe('unknown');
    registry.manifests.set(first.digest, bytes ?? away);
    expect((await judge.judge(question([by()]))).decision).toBe('verified');
  });

  test('that an image was not signed', async () => {
    const judge = judgeOver();
    registry.listed.length = 0;
    expect((await judge.judge(question([by()]))).decision).toBe('denied');
    expect(judge.stats().entries).toBe(0);
    attach(registry, hybrid);
    expect((await judge.judge(question([by()]))).decision).toBe('verified');
  });

  test('junk on the image', async () => {
    const judge = judgeOver();
    await judge.judge(question([by()]));
    const { bytes } = judge.stats();
    const flooded = judgeOver();
    for (let index = 0; index < 50; index += 1) attach(registry, [otherHybrid[0] ?? ml]);
    registry.listed.reverse();
    expect((await flooded.judge(question([by()]))).decision).toBe('verified');
    expect(flooded.stats().bytes).toBe(bytes);
  });
});

/** Until what can go on has gone on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('those who ask at the same time', () => {
  const ask = (judge: ReturnType<typeof judgeOver>, count: number, policies: readonly Policy[]) =>
    Promise.all(Array.from({ length: count }, () => judge.judge(question(policies))));

  test('share one look', async () => {
    await judgeOver().judge(question([by()]));
    const cost = registry.requests();
    registry.asked.length = 0;
    const judged = await ask(judgeOver(), 200, [by()]);
    expect(new Set(judged.map(({ decision }) => decision))).toEqual(new Set(['verified']));
    expect(registry.requests()).toBe(cost);
  });

  test('share it among different policies, too', async () => {
    await judgeOver().judge(question([by()]));
    const cost = registry.requests();
    registry.asked.length = 0;
    const judge = judgeOver();
    const both = [by({ bindReference: 'none' }), by()].map((policy) => judge.judge(question([policy])));
    expect((await Promise.all(both)).map(({ decision }) => decision)).toEqual(['verified', 'verified']);
    expect(registry.requests()).toBe(cost);
  });

  test('and want more than the one who began see more', async () => {
    registry.listed.length = 0;
    const keysets: Parameters<typeof keyset>[] = [
      ['a', [ec]],
      ['b', [ml]],
    ];
    for (const [, keys] of keysets) attach(registry, keys);
    const judge = judgeOver({ maxParallel: 1 });
    const policies = [byKeysets(1, ...keysets), byKeysets(2, ...keysets)];
    const judged = await Promise.all(policies.map((policy) => judge.judge(question([policy]))));
    expect(judged.map(({ decision }) => decision)).toEqual(['verified', 'verified']);
    expect(new Set(registry.asked).size).toBe(registry.asked.length);
  });

  test('are all denied after two looks: a no is as new as the question', async () => {
    registry.listed.length = 0;
    const judged = await ask(judgeOver(), 200, [by()]);
    expect(new Set(judged.map(({ decision }) => decision))).toEqual(new Set(['denied']));
    expect(registry.requests()).toBeLessThanOrEqual(2);
  });

  test('do not hear a no from before they asked', async () => {
    const signed = [...registry.listed];
    registry.listed.length = 0;
    const { asked, client } = heldLists();
    const judge = judgeOver({ client: () => client });
    const first = judge.judge(question([by()]));
    await until('the first look', () => asked.length === 1);
    registry.listed.push(...signed);
    const second = judge.judge(question([by()]));
    await turn();
    asked[0]?.letGo();
    expect((await first).decision).toBe('denied');
    await until('the second look', () => asked.length === 2);
    asked[1]?.letGo();
    expect((await second).decision).toBe('verified');
  });

  test('do not hear of a failure from before they asked', async () => {
    const { asked, client } = heldLists();
    let failing = true;
    const referrers: RegistryClient['referrers'] = async (...args) => {
      const fails = failing;
      const list = await client.referrers(...args);
      if (fails) throw away;
      return list;
    };
    const judge = judgeOver({ client: () => ({ ...client, referrers }) });
    const first = judge.judge(question([by()]));
    await until('the first look', () => asked.length === 1);
    failing = false;
    const second = judge.judge(question([by()]));
    await turn();
    asked[0]?.letGo();
    expect((await first).decision).toBe('unknown');
    await until('the second look', () => asked.length === 2);
    asked[1]?.letGo();
    expect((await second).decision).toBe('verified');
  });

  test('share nothing across credentials while it is under way', async () => {
    const { asked, client } = heldLists();
    const scopes: string[] = [];
    const judge = judgeOver({
      client: (scope) => {
        scopes.push(scope);
        return client;
      },
    });
    const both = ['a', 'b'].map((scope) => judge.judge(question([by()], { scope })));
    await until('two looks', () => asked.length === 2);
    for (const { letGo } of asked) letGo();
    expect((await Promise.all(both)).map(({ ok }) => ok)).toEqual([true, true]);
    expect(new Set(scopes)).toEqual(new Set(['a', 'b']));
  });

  test('wait on when one gives up, and the look ends with the last of them', async () => {
    const { asked, client } = heldLists();
    const judge = judgeOver({ client: () => client });
    const [hasty, patient] = [new AbortController(), new AbortController()];
    const first = judge.judge(question([by()], { signal: hasty.signal }));
    const second = judge.judge(question([by()], { signal: patient.signal }));
    await until('the look', () => asked.length === 1);
    hasty.abort(new Error('over'));
    expect(await first).toMatchObject({ decision: 'unknown', ok: false });
    expect(asked[0]?.signal?.aborted).toBe(false);
    expect(judge.stats().looksUnderWay).toBe(1);
    patient.abort(new Error('over'));
    await second;
    expect(asked[0]?.signal?.aborted).toBe(true);
    expect(judge.stats().looksUnderWay).toBe(0);
    // Nothing of it stays in the way.
    const third = judge.judge(question([by()]));
    await until('another look', () => asked.length === 2);
    asked[1]?.letGo();
    expect((await third).decision).toBe('verified');
  });

  test('ask once what a tag names, and the next ones ask again', async () => {
    const judge = judgeOver();
    const { policies: _, ...tagged } = question([], { reference: `${repository}:v1` });
    const digests = await Promise.all(Array.from({ length: 50 }, () => judge.resolve(tagged)));
    expect(new Set(digests)).toEqual(new Set([digest]));
    expect(registry.asked).toEqual(['resolve']);
    registry.tags = [elsewhere];
    expect(await judge.resolve(tagged)).toBe(elsewhere);
    const { policies: __, ...byDigest } = question([]);
    expect(await judge.resolve(byDigest)).toBe(digest);
    expect(registry.asked).toEqual(['resolve', 'resolve']);
  });

  test('do not hear by the credentials of another what a tag names', async () => {
    const judge = judgeOver();
    const questions = ['a', 'b'].map((scope) => question([], { reference: `${repository}:v1`, scope }));
    await Promise.all(questions.map((each) => judge.resolve(each)));
    expect(registry.asked).toEqual(['resolve', 'resolve']);
  });
});

describe('when the time is over', () => {
  test('what is not known is unknown, with what to do, and the rest is said', async () => {
    const { asked, client } = heldLists();
    const judge = judgeOver({ client: () => client });
    const time = new AbortController();
    const policies = [by(), policyOf({ images: [rule({ action: 'allow' })] }, 'other')];
    const judging = judge.judge(question(policies, { signal: time.signal }));
    await until('the look', () => asked.length === 1);
    time.abort(new Error('the request is over'));
    const judged = await judging;
    expect(judged).toMatchObject({ decision: 'unknown', ok: false, digest });
    expect(judged.requirements.map(({ outcome }) => outcome)).toEqual(['unknown', 'satisfied']);
    expect(reasonsOf(judged)).toMatch(/the time for the answer is over.*too much on the image$/m);
    expect(judged.requirements).toMatchObject([{ error: { code: 'ERR_VERIFICATION_DEADLINE' } }, {}]);
  });

  test('before anything was asked, nothing is', async () => {
    const judge = judgeOver();
    const judged = await judge.judge(question([by()], { signal: AbortSignal.abort() }));
    expect(judged.decision).toBe('unknown');
    expect(registry.asked).toEqual([]);
    const { policies: _, ...tagged } = question([], { reference: `${repository}:v1` });
    const reason = new Error('over');
    await expect(judge.resolve({ ...tagged, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('a look that waits for its turn gives it up', async () => {
    const { asked, client } = heldLists();
    const judge = judgeOver({ client: () => client, limits: { maxParallelLooks: 1 } });
    const first = judge.judge(question([by()], { scope: 'a' }));
    await until('the look', () => asked.length === 1);
    const time = new AbortController();
    const second = judge.judge(question([by()], { scope: 'b', signal: time.signal }));
    const third = judge.judge(question([by()], { scope: 'c' }));
    time.abort(new Error('over'));
    expect((await second).decision).toBe('unknown');
    expect(asked).toHaveLength(1);
    asked[0]?.letGo();
    expect((await first).decision).toBe('verified');
    await until('the turn of the third', () => asked.length === 2);
    asked[1]?.letGo();
    expect((await third).decision).toBe('verified');
  });
});

describe('tenants', () => {
  const everywhere = by({ match: ['**'] });
  /** Of registries that never answer, one each, in as many pods. */
  const tarpits = (tenant: string, count: number) =>
    Array.from({ length: count }, (_, index) =>
      question([everywhere], {
        reference: `tarpit-${tenant}-${index}.example/app@${digest}`,
        asker: { tenant, request: `${tenant} ${index}` },
      }),
    );

  /** The registries of one tenant never answer. */
  function withTarpits() {
    const hanging: string[] = [];
    const never = (host: string, signalOfLook: AbortSignal | undefined) =>
      new Promise<never>((_, reject) => {
        hanging.push(host);
        signalOfLook?.addEventListener('abort', () => reject(signalOfLook.reason));
      });
    const isTarpit = (host: string) => host.startsWith('tarpit-');
    const client: RegistryClient = {
      ...registry.client,
      referrers: (where, subject, each) =>
        isTarpit(where.registry)
          ? never(where.registry, each)
          : registry.client.referrers(where, subject, each),
      resolve: (where, each) =>
        isTarpit(where.registry) ? never(where.registry, each) : registry.client.resolve(where, each),
    };
    return { hanging, client };
  }

  test('with registries that hang keep nobody else waiting', async () => {
    const { hanging, client } = withTarpits();
    const judge = judgeOver({ client: () => client });
    const time = new AbortController();
    const stuck = tarpits('attacker', 100).map((each) => judge.judge({ ...each, signal: time.signal }));
    await until('what hangs', () => hanging.length >= 8);
    const asker = { tenant: 'shop', request: 'their pod' };
    expect((await judge.judge(question([everywhere], { asker }))).decision).toBe('verified');
    const tagged = question([everywhere], { reference: `${repository}:v1`, asker });
    expect(await judge.resolve(tagged)).toBe(digest);
    expect(hanging).toHaveLength(8);
    time.abort(new Error('over'));
    expect(new Set((await Promise.all(stuck)).map(({ decision }) => decision))).toEqual(new Set(['unknown']));
    expect(judge.stats().looksUnderWay).toBe(0);
  });

  test('with tags at registries that hang do not, either', async () => {
    const { hanging, client } = withTarpits();
    const judge = judgeOver({ client: () => client });
    const time = new AbortController();
    const stuck = tarpits('attacker', 100).map(({ reference, ...each }) =>
      judge.resolve({
        ...each,
        reference: { ...reference, digest: undefined, tag: 'v1' },
        signal: time.signal,
      }),
    );
    await until('what hangs', () => hanging.length >= 8);
    const asker = { tenant: 'shop', request: 'their pod' };
    const tagged = question([everywhere], { reference: `${repository}:v1`, asker });
    expect(await judge.resolve(tagged)).toBe(digest);
    expect(hanging).toHaveLength(8);
    time.abort(new Error('over'));
    expect(new Set((await Promise.allSettled(stuck)).map(({ status }) => status))).toEqual(
      new Set(['rejected']),
    );
  });

  test.each<[string, string]>([
    ['an image', pinned],
    ['what a tag names', `${repository}:v1`],
  ])('who want the same do not wait for each other’s turn: %s', async (_, reference) => {
    const { hanging, client } = withTarpits();
    const judge = judgeOver({ client: () => client });
    const time = new AbortController();
    const stuck = tarpits('attacker', 100).map((each) => judge.judge({ ...each, signal: time.signal }));
    await until('what hangs', () => hanging.length >= 8);
    const ask = (tenant: string) =>
      judge.judge(question([everywhere], { reference, asker: { tenant, request: 'another pod' } }));
    // It asks first, and is at its end.
    const first = ask('attacker');
    await turn();
    expect(registry.asked).toEqual([]);
    expect((await ask('shop')).decision).toBe('verified');
    // A tag is followed by the look at what it names, which is in the cache by now.
    expect((await first).decision).toBe('verified');
    time.abort(new Error('over'));
    await Promise.all(stuck);
  });
});

describe('keys in a key management service', () => {
  const keys = hybrid.map(({ publicKey: { algorithm } }) => ({ algorithm, kms: `awskms:///${algorithm}` }));
  const inKms = (name: string) =>
    policyOf({ images: [rule({ authorities: [authority({ keysets: [{ name: 'kms', keys }] })] })] }, name);
  const keyOf = (from: typeof hybrid) => async (uri: string) => {
    const found = from.find(({ publicKey }) => uri.endsWith(publicKey.algorithm));
    if (found === undefined) throw new Error('no such key');
    // A new object, as a service answers.
    return { ...found.publicKey };
  };

  test('are asked for once by all policies, and again in time, which takes nothing from the cache', async () => {
    const kms = vi.fn(keyOf(hybrid));
    const judge = judgeOver({ sources: { kms }, limits: { keyRefreshMs: minute } });
    const policies = [inKms('a'), inKms('b')];
    for (const policy of policies) expect((await judge.judge(question([policy]))).ok).toBe(true);
    expect(kms).toHaveBeenCalledTimes(2);
    const cost = registry.requests();
    later(minute);
    for (const policy of policies) expect((await judge.judge(question([policy]))).ok).toBe(true);
    expect(kms).toHaveBeenCalledTimes(4);
    expect(registry.requests()).toBe(cost);
  });

  test('that have changed hold from then on', async () => {
    const kms = vi.fn(keyOf(hybrid));
    const judge = judgeOver({ sources: { kms }, limits: { keyRefreshMs: minute } });
    const policy = inKms('a');
    expect((await judge.judge(question([policy]))).ok).toBe(true);
    kms.mockImplementation(keyOf(otherHybrid));
    later(minute - 1);
    expect((await judge.judge(question([policy]))).ok).toBe(true);
    later(minute);
    expect((await judge.judge(question([policy]))).decision).toBe('denied');
  });

  test('that cannot be had leave it unknown, and are asked for again', async () => {
    const kms = vi.fn(keyOf(hybrid)).mockRejectedValueOnce(new Error('away'));
    const judge = judgeOver({ sources: { kms } });
    expect((await judge.judge(question([inKms('a')]))).decision).toBe('unknown');
    expect((await judge.judge(question([inKms('a')]))).decision).toBe('verified');
  });
});

describe('what is in images, where digests are revoked', () => {
  const allowing = by({ action: 'allow' }, { revoked: { digests: [elsewhere] } });

  test('is asked for once, for everyone', async () => {
    const judge = judgeOver();
    expect((await judge.judge(question([allowing]))).decision).toBe('allowed');
    expect(registry.asked).toEqual([`manifest ${digest}`, `manifest ${elsewhere}`]);
    registry.asked.length = 0;
    expect((await judge.judge(question([allowing]))).decision).toBe('allowed');
    expect(registry.asked).toEqual([]);
    // Other credentials may see more of the repository.
    expect((await judge.judge(question([allowing], { scope: 'another' }))).decision).toBe('allowed');
    expect(registry.asked).toEqual([`manifest ${elsewhere}`]);
  });

  test('stays known while the registry is away, whatever repositories another tenant names', async () => {
    const digests = Array.from({ length: 200 }, (_, n) => `sha256:${n.toString(16).padStart(64, '0')}`);
    const policies = [by({ match: ['**'], action: 'allow' }, { revoked: { digests } })];
    const judge = judgeOver({ limits: { maxContentsBytes: 400_000 } });
    const good = question(policies, { asker: { tenant: 'good', request: '1' } });
    expect((await judge.judge(good)).decision).toBe('allowed');
    const evil = (n: number) =>
      question(policies, {
        reference: `registry.example/evil/${n}@${digest}`,
        asker: { tenant: 'evil', request: `${n}` },
      });
    for (let n = 0; n < 100; n += 1) await judge.judge(evil(n));
    registry.manifest = () => Promise.reject(away);
    expect((await judge.judge(good)).decision).toBe('allowed');
    expect((await judge.judge(evil(0))).decision).toBe('unknown');
  });

  test('cannot be known while the registry is away', async () => {
    const client: RegistryClient = { ...registry.client, manifest: () => Promise.reject(away) };
    const judged = await judgeOver({ client: () => client }).judge(question([allowing]));
    expect(judged).toMatchObject({ decision: 'unknown', ok: false });
  });
});

describe('what a key management service says', () => {
  const inKms = by({
    authorities: [
      authority({ keysets: [{ name: 'kms', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/a' }] }] }),
    ],
  });
  const refusal = new SigningError('ERR_KMS_KEY', 'User: arn:aws:iam::123456789012:user/x');
  const sources = { kms: () => Promise.reject(refusal) };

  test('is told to whoever runs this', async () => {
    expect(reasonsOf(await judgeOver({ sources }).judge(question([inKms])))).toContain('arn:aws');
  });

  test('goes to the log where whoever asks is somebody else', async () => {
    const logged: string[] = [];
    const judge = judgeOver({
      sources,
      withheld: (image, { message }) => logged.push(`${image}: ${message}`),
    });
    const judged = await judge.judge(question([inKms]));
    expect(judged.decision).toBe('unknown');
    expect(reasonsOf(judged)).not.toContain('arn:aws');
    expect(logged).toEqual([expect.stringMatching(/^registry\.example\/trading\/app@.*: .*arn:aws/)]);
  });
});

test('a digest is demanded where a signature is, by what is enforced, or where digests are revoked', () => {
  const judge = judgeOver();
  const must = (policy: Policy, reference = `${repository}:v1`) =>
    judge.mustBeDigest(parseReference(reference), [policy]);
  expect(must(by())).toBe(true);
  expect(must(by(), 'registry.example/elsewhere/app:v1')).toBe(false);
  expect(must(by({ action: 'allow' }))).toBe(false);
  expect(must(by({}, { enforcement: 'warn' }))).toBe(false);
  expect(must(by({ action: 'allow' }, { revoked: { digests: [digest] } }))).toBe(true);
  expect(must(policyOf({}))).toBe(false);
  expect(registry.asked).toEqual([]);
});
