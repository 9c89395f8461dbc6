// What of a policy cannot be used, found out without an image: the same as images are refused with.

import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { KeySources } from '../../../../../src/admission/images/policies/authorities.ts';
import { createCompiledSets } from '../../../../../src/admission/images/policies/compiled-sets.ts';
import type { Policy } from '../../../../../src/model/mesh.ts';
import { repository } from '../../../signing/verify/support.ts';
import { type AuthoritySpec, authority, ec, hybrid, keyset, ml, pemOf, policyOf, rule } from '../support.ts';

const { signal } = new AbortController();

function setsOver(changes: Partial<KeySources> = {}) {
  const sources = {
    kms: vi.fn<KeySources['kms']>(changes.kms ?? (async () => ml.publicKey)),
    configMap: vi.fn<KeySources['configMap']>(changes.configMap ?? (async () => undefined)),
  };
  const sets = createCompiledSets({ sources, keyRefreshMs: 1_000, maxSets: 2, now: () => new Date(0) });
  return { ...sets, sources };
}

type KeySpec = NonNullable<AuthoritySpec['keysets']>[number]['keys'][number];

const withKeys = (...keys: readonly KeySpec[]) =>
  policyOf({ images: [rule({ authorities: [authority({ keysets: [{ name: 'k', keys: [...keys] }] })] })] });
const pinned = (key: string, changes: object = {}): KeySpec => ({
  algorithm: 'ECDSA-P256',
  configMapRef: { name: 'trust', key, spkiSha256: ec.publicKey.spkiSha256 },
  ...changes,
});
const rooted = (sha256: string) =>
  policyOf({
    images: [
      rule({
        authorities: [
          {
            name: 'ci',
            keyless: {
              ...{ issuer: 'https://issuer.example', subject: 'ci@example.com' },
              trustedRoot: { configMapRef: { name: 'trust', key: 'root', sha256 } },
            },
          },
        ],
      }),
    ],
  });
const wrongAlgorithm: KeySpec = { algorithm: 'ML-DSA-87', publicKey: pemOf(ml) };
const inKms: KeySpec = { algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' };
const bytes = Buffer.from('not a trusted root');

async function problemsOf(policy: Policy, sources: Partial<KeySources> = {}): Promise<string> {
  const usability = await setsOver(sources).usabilityOf(policy, signal);
  return usability.kind === 'unusable' ? usability.problems.join('\n') : usability.kind;
}

test('one that images can be judged by', async () => {
  const { usabilityOf } = setsOver({ configMap: async () => Buffer.from(pemOf(ec)) });
  expect(await usabilityOf(policyOf(), signal)).toEqual({ kind: 'usable', hasKmsKeys: false });
  expect(await usabilityOf(withKeys(pinned('a')), signal)).toEqual({ kind: 'usable', hasKmsKeys: false });
  expect(await usabilityOf(policyOf({}), signal)).toEqual({ kind: 'usable', hasKmsKeys: false });
  expect(await usabilityOf(policyOf({ images: [rule({ action: 'deny' })] }), signal)).toMatchObject({
    kind: 'usable',
  });
});

test.each<[string, Policy, RegExp, Buffer | undefined]>([
  [
    'a key of another algorithm',
    withKeys(wrongAlgorithm),
    /keyset k, ML-DSA-87: the key there is of ML-DSA-65/,
    undefined,
  ],
  [
    'a key that is none',
    withKeys({ algorithm: 'ML-DSA-65', publicKey: '-----BEGIN' }),
    /keyset k, ML-DSA-65: /,
    undefined,
  ],
  ['a ConfigMap that is not there', withKeys(pinned('a')), /no entry a in a ConfigMap trust/, undefined],
  [
    'another key than is pinned',
    withKeys(pinned('a')),
    /ConfigMap trust holds key .* pins/,
    Buffer.from(pemOf(ml)),
  ],
  ['no trusted root', rooted('00'.repeat(32)), /no entry root in a ConfigMap/, undefined],
  ['another trusted root', rooted('00'.repeat(32)), /has SHA-256 .* pins/, bytes],
  [
    'a trusted root that is none',
    rooted(createHash('sha256').update(bytes).digest('hex')),
    /authority ci, keyless: /,
    bytes,
  ],
  [
    'a condition that is none',
    policyOf({
      images: [rule({ attestations: [{ predicateType: 'https://a.example', condition: "a = 'x'" }] })],
    }),
    /rule 1: .*; a policy that cannot be used/,
    undefined,
  ],
  [
    'one key in two keysets',
    policyOf({
      images: [rule({ authorities: [authority({ keysets: [keyset('a', hybrid), keyset('b', hybrid)] })] })],
    }),
    /one key, .*, in keyset "a" and in "b"/,
    undefined,
  ],
])('%s', async (_, policy, reason, content) => {
  const said = await problemsOf(policy, { configMap: async () => content });
  expect(said).toMatch(reason);
  expect(said).toMatch(/^QuantumSecurityPolicy trading\/images, rule 1: .*lets no image in: correct it/);
});

test('every rule is told of, and what is true of a policy that only warns', async () => {
  const images = [
    rule(),
    ...(withKeys(wrongAlgorithm).spec.images ?? []),
    ...(withKeys(pinned('a')).spec.images ?? []),
  ];
  const said = await problemsOf(policyOf({ enforcement: 'warn', images }));
  expect(said.split('\n')).toEqual([
    expect.stringMatching(/rule 2: .*ML-DSA-87/),
    expect.stringMatching(/rule 3: .*no entry a/),
  ]);
  expect(said).not.toContain('lets no image in');
});

describe('keys in a key management service', () => {
  test('are not asked for, which hides nothing that is wrong beside them', async () => {
    const { usabilityOf, sources } = setsOver();
    expect(await usabilityOf(withKeys(inKms), signal)).toEqual({ kind: 'usable', hasKmsKeys: true });
    for (const other of [wrongAlgorithm, pinned('a')]) {
      expect(await usabilityOf(withKeys(inKms, other), signal)).toMatchObject({ kind: 'unusable' });
    }
    const uri: KeySpec = { ...inKms, kms: 'awskms://' };
    expect(await usabilityOf(withKeys(uri), signal)).toMatchObject({ kind: 'unusable' });
    expect(sources.kms).not.toHaveBeenCalled();
  });

  test('are known once an image has needed them', async () => {
    const { usabilityOf, compiledOf, sources } = setsOver({ kms: async () => ec.publicKey });
    const policy = withKeys(inKms);
    const [requirement] = compiledOf([policy]).requirementsOn(repository);
    if (requirement?.kind !== 'verify') throw new Error('nothing to verify');
    await expect(requirement.verificationPolicy(signal)).rejects.toThrow(/the key there is of ECDSA/);
    expect(await usabilityOf(policy, signal)).toMatchObject({ kind: 'unusable' });
    expect(sources.kms).toHaveBeenCalledTimes(1);
  });
});

describe('ConfigMaps', () => {
  test('are read one at a time, each entry once', async () => {
    let underWay = 0;
    let most = 0;
    const { usabilityOf, sources } = setsOver({
      configMap: async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return Buffer.from(pemOf(ec));
      },
    });
    const { images = [] } = withKeys(pinned('a'), pinned('b'), pinned('a')).spec;
    await usabilityOf(policyOf({ images: [...images, ...images] }), signal);
    expect(sources.configMap).toHaveBeenCalledTimes(2);
    expect(most).toBe(1);
  });

  test('are not read on for what is wrong already', async () => {
    const { usabilityOf, sources } = setsOver({
      configMap: () => new Promise((resolve) => setImmediate(() => resolve(undefined))),
    });
    await usabilityOf(withKeys(...[...'abcdef'].map((key) => pinned(key))), signal);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(sources.configMap.mock.calls.length).toBeLessThan(4);
  });

  test('that could not be read say nothing about the policy', async () => {
    const error = new Error('away');
    const { usabilityOf } = setsOver({ configMap: () => Promise.reject(error) });
    expect(await usabilityOf(withKeys(pinned('a')), signal)).toEqual({ kind: 'unknown', error });
    expect(await usabilityOf(withKeys(pinned('a'), wrongAlgorithm), signal)).toMatchObject({
      kind: 'unusable',
    });
  });

  test('are waited for no longer than it is wanted', async () => {
    const { usabilityOf } = setsOver({ configMap: () => new Promise(() => {}) });
    const ending = new AbortController();
    const found = usabilityOf(withKeys(pinned('a')), ending.signal);
    ending.abort(new Error('enough'));
    await expect(found).rejects.toThrow('enough');
  });
});
