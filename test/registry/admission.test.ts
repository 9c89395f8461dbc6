// The judge of admission and real registries: what a question costs, whose credentials are used, and what happens when the
// registry goes away.

import { describe, expect, test } from 'vitest';
import { createImageJudge, type ImageJudgeOptions } from '../../src/admission/images/create-image-judge.ts';
import type { ImageQuestion, PullCredentials } from '../../src/admission/images/image-judge.ts';
import type { JudgedImage } from '../../src/admission/images/judge-image.ts';
import { dockerCredentials } from '../../src/registry/auth/docker-config.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { referrerManifest } from '../../src/signing/format/referrer.ts';
import { signPredicateType } from '../../src/signing/format/statement.ts';
import { onEnd } from '../support/cleanup.ts';
import { type PushedManifest, pushTestImage } from '../support/registry/images.ts';
import {
  startRegistry,
  type TestRegistry,
  type TestRegistryOptions,
  testAccount,
} from '../support/registry.ts';
import { hybrid, policyOf, rule } from '../unit/admission/images/support.ts';
import { bundleBytes, now, payloadBy } from '../unit/signing/verify/support.ts';
import { accessTo } from './support.ts';

const repository = 'trading/app';
const { signal } = new AbortController();
const nobody: PullCredentials = { scope: 'node', source: async () => undefined };

const accountOf = ({ dockerConfig }: TestRegistry): PullCredentials => ({
  scope: 'account',
  source: dockerCredentials({ env: {}, directory: dockerConfig }),
});
const wrong: PullCredentials = {
  scope: 'wrong',
  source: async () => ({ kind: 'password', username: testAccount.user, password: 'wrong' }),
};

/** By both keys, as trellis sign does. */
async function signImage(registry: TestRegistry, { digest, size, mediaType }: PushedManifest): Promise<void> {
  const payload = payloadBy(hybrid, { subject: digest, reference: `${registry.host}/${repository}` });
  const subject = { mediaType, digest, size };
  const artifacts = hybrid.map((key) =>
    referrerManifest({
      ...{ subject, predicateType: signPredicateType, created: now },
      bundle: bundleBytes(key, payload),
    }),
  );
  await accessTo([registry]).client.attach({ registry: registry.host, path: repository }, subject, artifacts);
}

function judgeFor(registry: TestRegistry, options: Partial<ImageJudgeOptions> = {}) {
  const judge = createImageJudge({
    keySources: { kms: () => Promise.reject(new Error('none')), configMap: async () => undefined },
    now: () => now,
    registry: {
      allowedAddresses: ['127.0.0.1'],
      ...(registry.ca === undefined ? { plainHttp: [registry.host] } : { ca: registry.ca }),
      limits: { maxAttempts: 1 },
    },
    ...options,
  });
  onEnd(() => judge.close());
  const policies = [policyOf({ images: [rule({ match: [`${registry.host}/trading/**`] })] })];
  const ask = (name: string, credentials: PullCredentials): ImageQuestion => ({
    ...{ reference: parseReference(`${registry.host}/${repository}${name}`), policies, credentials, signal },
  });
  return { ...judge, ask };
}

const reasonsOf = ({ requirements }: JudgedImage) =>
  requirements.flatMap(({ reasons }) => reasons).join('\n');

const kinds: readonly (readonly [string, TestRegistryOptions, number])[] = [
  // Two manifests and two bundles, and the list; where there is no referrers API, the question for it and the tag.
  ['ggcr', { kind: 'ggcr' }, 5],
  ['distribution', { kind: 'distribution' }, 6],
  // And once the 401 and the token.
  ['ggcr basic TLS', { kind: 'ggcr', auth: 'basic', tls: true }, 6],
  ['distribution bearer TLS', { kind: 'distribution', auth: 'bearer', tls: true }, 8],
];

describe.each(kinds)('%s', (_, options, cost) => {
  test('an image is looked at once, whoever asks and however many', async () => {
    const registry = await startRegistry(options);
    const image = await pushTestImage(registry, { repository, tag: 'v1' });
    await signImage(registry, image);
    const judge = judgeFor(registry);
    const credentials = accountOf(registry);
    const pinned = `@${image.digest}`;

    const first = await judge.judge(judge.ask(pinned, credentials));
    expect(reasonsOf(first)).toBe('authority "ci" is satisfied by keyset "ci-2026"');
    expect(first).toMatchObject({ decision: 'verified', digest: image.digest });
    expect(judge.stats().registryRequests).toBeLessThanOrEqual(cost);

    const warm = judge.stats().registryRequests;
    const many = Array.from({ length: 50 }, () => judge.judge(judge.ask(pinned, nobody)));
    expect((await Promise.all(many)).every(({ ok }) => ok)).toBe(true);
    expect(judge.stats()).toMatchObject({ registryRequests: warm, hits: 50, misses: 1, entries: 1 });

    const tagged = Array.from({ length: 50 }, () => judge.judge(judge.ask(':v1', credentials)));
    expect((await Promise.all(tagged)).every(({ digest }) => digest === image.digest)).toBe(true);
    expect(judge.stats().registryRequests).toBe(warm + 1);
  });

  test('a tag that moves, after what it named was found good', async () => {
    const registry = await startRegistry(options);
    await signImage(registry, await pushTestImage(registry, { repository, tag: 'v1' }));
    const judge = judgeFor(registry);
    const asked = judge.ask(':v1', accountOf(registry));
    expect((await judge.judge(asked)).decision).toBe('verified');
    const moved = await pushTestImage(registry, { repository, tag: 'v1' });
    expect(await judge.judge(asked)).toMatchObject({ decision: 'denied', digest: moved.digest });
    expect(await judge.resolve(asked)).toBe(moved.digest);
  });
});

test.each(['basic', 'bearer'] as const)(
  'credentials of %s are tried in turn, and are nobody else’s',
  async (auth) => {
    const registry = await startRegistry({ kind: 'distribution', auth, tls: true });
    const image = await pushTestImage(registry, { repository });
    await signImage(registry, image);
    const pinned = `@${image.digest}`;
    const judge = judgeFor(registry);
    const hint = 'the Secret trading/pull may not be read';
    const refused = await judge.judge(judge.ask(pinned, { ...wrong, hint }));
    expect(refused).toMatchObject({ decision: 'unknown', ok: false });
    expect(reasonsOf(refused)).toContain(hint);
    const { source } = accountOf(registry);
    const both = { scope: 'both', source: wrong.source, others: [source] };
    const inTurn = await judge.judge(judge.ask(pinned, both));
    expect(inTurn.decision).toBe('verified');
    // Of what has not been verified before, nobody else hears by these credentials.
    const other = await pushTestImage(registry, { repository });
    expect((await judge.judge(judge.ask(`@${other.digest}`, both))).decision).toBe('denied');
    expect((await judge.judge(judge.ask(`@${other.digest}`, nobody))).decision).toBe('unknown');
  },
);

test('a registry that is gone: what is known is admitted, the rest is not known, and nothing of that is kept', async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  const [known, other] = [
    await pushTestImage(registry, { repository }),
    await pushTestImage(registry, { repository }),
  ];
  await signImage(registry, known);
  await signImage(registry, other);
  const judge = judgeFor(registry);
  const ask = (digest: string) => judge.judge(judge.ask(`@${digest}`, nobody));
  expect((await ask(known.digest)).decision).toBe('verified');
  await registry.stop();
  expect((await ask(known.digest)).decision).toBe('verified');
  const unknown = await ask(other.digest);
  expect(unknown).toMatchObject({ decision: 'unknown', ok: false });
  expect(reasonsOf(unknown)).toMatch(/cannot be reached/);
  expect(judge.stats().entries).toBe(1);
});

test('a pod cannot send us to this machine', async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  const image = await pushTestImage(registry, { repository });
  await signImage(registry, image);
  const judge = judgeFor(registry, { registry: { plainHttp: [registry.host], limits: { maxAttempts: 1 } } });
  const judged = await judge.judge(judge.ask(`@${image.digest}`, nobody));
  expect(judged.decision).toBe('unknown');
  expect(reasonsOf(judged)).toMatch(/because it is an address of this machine/);
});
