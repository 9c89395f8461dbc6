import { describe, expect, test } from 'vitest';
import { explainImageRules, type KeysetTrial } from '../../../../src/admission/explain/image-rules.ts';
import { type AuthoritySpec, authority, ec, hybrid, inlineKey, keyset, ml, rule } from '../images/support.ts';

const now = new Date('2026-06-01T00:00:00Z');
const nothing: KeysetTrial = { now, revokedKeys: new Set(), levels: [], hasEntry: () => true };

function explained(changes: Partial<AuthoritySpec>, trial: Partial<KeysetTrial> = {}) {
  const [first] = explainImageRules([rule({ authorities: [authority(changes)] })], { ...nothing, ...trial });
  return first?.authorities[0];
}

const whyNot = (changes: Partial<AuthoritySpec>, trial: Partial<KeysetTrial> = {}) =>
  explained(changes, trial)?.keysets.map((each) => each.whyNot);

describe('a keyset that counts for nothing says why', () => {
  test('ended, from the very instant', () => {
    const keysets = [keyset('a', hybrid, { notAfter: '2026-06-01T00:00:00Z' })];
    expect(whyNot({ keysets })).toEqual(['it has ended']);
    expect(whyNot({ keysets }, { now: new Date(now.getTime() - 1) })).toEqual([undefined]);
    expect(whyNot({ keysets: [keyset('a', hybrid)] })).toEqual([undefined]);
  });

  test('with a revoked key, in the policy or in a ConfigMap', () => {
    const { spkiSha256 } = ec.publicKey;
    const pinned = {
      algorithm: 'ECDSA-P256',
      configMapRef: { name: 'keys', key: 'ci.pub', spkiSha256 },
    } as const;
    const keysets = [keyset('a', hybrid), keyset('b', [ml]), { name: 'c', keys: [pinned] }];
    expect(whyNot({ keysets }, { revokedKeys: new Set([spkiSha256]) })).toEqual([
      'its ECDSA-P256 key is revoked',
      undefined,
      'its ECDSA-P256 key is revoked',
    ]);
  });

  test('with a key that is none', () => {
    const broken = {
      ...inlineKey(ec),
      publicKey: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
    };
    expect(whyNot({ keysets: [{ name: 'a', keys: [inlineKey(ml), broken] }] })).toEqual([
      'its ECDSA-P256 key cannot be read, so that its rule lets nothing in',
    ]);
  });

  test('with a key of another algorithm', () => {
    const mislabelled = { ...inlineKey(ec), algorithm: 'ECDSA-P384' } as const;
    expect(whyNot({ keysets: [{ name: 'a', keys: [mislabelled] }] })).toEqual([
      'its ECDSA-P384 key is one of ECDSA-P256, so that its rule lets nothing in',
    ]);
  });

  test('below a compliance level', () => {
    const levels = [{ policy: 'trellis-system/mesh', level: 'CNSA-2.0' }] as const;
    expect(whyNot({ keysets: [keyset('a', hybrid)] }, { levels })?.[0]).toMatch(
      /^keyset a does not count under CNSA-2\.0 of trellis-system\/mesh, which asks for /,
    );
  });
});

test('keys say where they are, certificates whose they are', () => {
  const kms = { algorithm: 'ECDSA-P256', kms: 'awskms:///alias/ci' } as const;
  const pinned = {
    algorithm: 'ML-DSA-65',
    configMapRef: { name: 'keys', key: 'ci.pub', spkiSha256: 'ab'.repeat(32) },
  } as const;
  const trustedRoot = { configMapRef: { name: 'root', key: 'root.json', sha256: 'cd'.repeat(32) } };
  const keyless = { issuer: 'https://issuer.example', subjectRegExp: '.*@example\\.com', trustedRoot };
  expect(explained({ threshold: 1, keysets: [{ name: 'a', keys: [kms, pinned] }], keyless })).toEqual({
    name: 'ci',
    threshold: 1,
    keysets: [
      {
        name: 'a',
        notAfter: undefined,
        whyNot: undefined,
        keys: [
          { algorithm: 'ECDSA-P256', from: 'awskms:///alias/ci' },
          { algorithm: 'ML-DSA-65', from: `ConfigMap keys, pinned to ${'ab'.repeat(32)}` },
        ],
      },
    ],
    keyless: {
      issuer: 'https://issuer.example',
      subject: 'matching .*@example\\.com',
      trustedRoot: 'ConfigMap root',
    },
  });
  const asked: string[][] = [];
  const hasEntry = (...names: string[]) => {
    asked.push(names);
    return false;
  };
  const absent = explained({ keysets: [{ name: 'a', keys: [kms, pinned] }], keyless }, { hasEntry });
  expect(absent?.keysets[0]?.keys[1]?.from).toBe(
    `ConfigMap keys: not among these files (entry ci.pub), pinned to ${'ab'.repeat(32)}`,
  );
  expect(absent?.keyless?.trustedRoot).toBe('ConfigMap root: not among these files (entry root.json)');
  expect(asked).toEqual([
    ['keys', 'ci.pub'],
    ['root', 'root.json'],
  ]);
});

test('what a rule leaves out is what holds', () => {
  expect(explainImageRules([{ match: ['a/**'], action: 'allow' }, rule()], nothing)).toMatchObject([
    { rule: 1, action: 'allow', authorities: [], bindReference: undefined, attestations: [] },
    {
      rule: 2,
      action: 'verify',
      bindReference: 'repository',
      attestations: [],
      authorities: [{ threshold: 1 }],
    },
  ]);
});
