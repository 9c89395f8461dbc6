import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type KeySources,
  resolveAuthorities,
} from '../../../../../src/admission/images/policies/authorities.ts';
import { createTrustPool } from '../../../../../src/admission/images/policies/trust-pool.ts';
import type { Bundle } from '../../../../../src/signing/format/bundle.ts';
import { issuer, subject } from '../../../../support/sigstore/forge.ts';
import { startWorld, type World } from '../../../signing/keyless/evidence.ts';
import { failure } from '../../../signing/support.ts';
import { type AuthoritySpec, authority, ec, hybrid, inlineKey, keyset, ml, pemOf } from '../support.ts';

const { signal } = new AbortController();
const nothing: KeySources = {
  kms: () => Promise.reject(new Error('no key management service')),
  configMap: () => Promise.resolve(undefined),
};

/** Of all tests here: none is to hear what another one has made. */
const pool = createTrustPool();

async function resolve(spec: AuthoritySpec, sources: Partial<KeySources> = {}) {
  const resolution = { sources: { ...nothing, ...sources }, namespace: 'trading', pool, signal };
  const [resolved] = await resolveAuthorities([spec], resolution);
  return resolved;
}

/** One entry of one ConfigMap. */
const configMap =
  (bytes: Uint8Array | string): KeySources['configMap'] =>
  (namespace, name, key) =>
    Promise.resolve(`${namespace}/${name}/${key}` === 'trading/trust/entry' ? Buffer.from(bytes) : undefined);

describe('keys', () => {
  test('written into the policy are taken as they are, with threshold and notAfter', async () => {
    const notAfter = '2027-03-01T00:00:00Z';
    const spec = authority({ threshold: 1, keysets: [keyset('a', hybrid, { notAfter })] });
    expect(await resolve(spec)).toMatchObject({
      name: 'ci',
      threshold: 1,
      keysets: [
        {
          name: 'a',
          notAfter: new Date(notAfter),
          keys: hybrid.map(({ publicKey: { algorithm, spkiSha256 } }) => ({ algorithm, spkiSha256 })),
        },
      ],
      keyless: undefined,
    });
    expect(await resolve(authority())).toMatchObject({ threshold: 1, keysets: [{ notAfter: undefined }] });
  });

  test('of a key management service are asked for by their URI, within the time there is', async () => {
    const asked: unknown[][] = [];
    const spec = authority({
      keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }],
    });
    const kms = async (...given: unknown[]) => {
      asked.push(given);
      return ml.publicKey;
    };
    expect((await resolve(spec, { kms }))?.keysets[0]?.keys).toEqual([ml.publicKey]);
    expect(asked).toEqual([['awskms:///alias/ci', signal]]);
  });

  test('of a ConfigMap are those that the policy pins', async () => {
    const { algorithm, spkiSha256 } = ec.publicKey;
    const pinned = (pin: string) =>
      authority({
        keysets: [
          {
            name: 'a',
            keys: [{ algorithm, configMapRef: { name: 'trust', key: 'entry', spkiSha256: pin } }],
          },
        ],
      });
    const sources = { configMap: configMap(pemOf(ec)) };
    expect((await resolve(pinned(spkiSha256), sources))?.keysets[0]?.keys[0]?.spkiSha256).toBe(spkiSha256);
    await failure(
      'ERR_PUBLIC_KEY_INVALID',
      resolve(pinned(ml.publicKey.spkiSha256), sources),
      /authority ci, keyset a, ECDSA-P256: ConfigMap trust holds key [0-9a-f]{64}, and the policy pins/,
    );
    await failure(
      'ERR_VERIFICATION_POLICY_INVALID',
      resolve(pinned(spkiSha256)),
      /there is no entry entry in a ConfigMap trust of the policy's namespace/,
    );
    const notOne = { configMap: configMap('no PEM') };
    await failure('ERR_PUBLIC_KEY_INVALID', resolve(pinned(spkiSha256), notOne), /authority ci, keyset a/);
  });

  test('of another algorithm than the policy says are refused, wherever they come from', async () => {
    const wrong = { ...inlineKey(ec), algorithm: 'ECDSA-P384' } as const;
    await failure(
      'ERR_PUBLIC_KEY_INVALID',
      resolve(authority({ keysets: [{ name: 'a', keys: [wrong] }] })),
      /authority ci, keyset a, ECDSA-P384: the key there is of ECDSA-P256/,
    );
    const spec = authority({
      keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }],
    });
    const kms = async () => ec.publicKey;
    await failure('ERR_PUBLIC_KEY_INVALID', resolve(spec, { kms }), /the key there is of ECDSA-P256/);
  });

  test('that are nowhere, or unreadable, are an error and no shorter list', async () => {
    const empty = authority({ keysets: [{ name: 'a', keys: [inlineKey(ml), { algorithm: 'ML-DSA-65' }] }] });
    await failure('ERR_PUBLIC_KEY_INVALID', resolve(empty), /no key is given/);
    const torn = authority({
      keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', publicKey: 'no PEM' }] }],
    });
    await failure('ERR_PUBLIC_KEY_INVALID', resolve(torn), /authority ci, keyset a, ML-DSA-65: /);
  });

  test('are not usable for ever because their notAfter cannot be read', async () => {
    const spec = authority({ keysets: [keyset('a', hybrid, { notAfter: 'next year' })] });
    await failure(
      'ERR_VERIFICATION_POLICY_INVALID',
      resolve(spec),
      /keyset a: notAfter "next year" is no date/,
    );
  });

  test('of a source that fails are an error, not nothing', async () => {
    const spec = authority({
      keysets: [{ name: 'a', keys: [inlineKey(ec), { algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }],
    });
    await expect(resolve(spec)).rejects.toThrow('no key management service');
  });
});

describe('keyless', () => {
  let world: World;
  let bundle: Bundle;
  let root: Buffer;
  beforeAll(async () => {
    world = await startWorld();
    bundle = await world.bundle();
    root = rootJson(world);
  });

  /** The trusted root that accepts the world's certificates. */
  function rootJson({ sigstore, intermediate, root: top }: World): Buffer {
    return sigstore.trustedRoot((json) => {
      json.certificateAuthorities = json.certificateAuthorities.map((each) => ({
        ...each,
        certChain: {
          certificates: [intermediate, top].map(({ certificate }) => ({
            rawBytes: certificate.toString('base64'),
          })),
        },
      }));
    });
  }

  type KeylessSpec = NonNullable<AuthoritySpec['keyless']>;
  async function verifierOf(
    identity: Omit<KeylessSpec, 'trustedRoot'>,
    pin = sha256(root),
    trustedRoot = root,
  ) {
    const configMapRef = { name: 'trust', key: 'entry', sha256: pin };
    const keyless = { ...identity, trustedRoot: { configMapRef } };
    const resolved = await resolve({ name: 'ci', keyless }, { configMap: configMap(trustedRoot) });
    expect(resolved?.keysets).toEqual([]);
    return resolved?.keyless;
  }
  async function accepts(...args: Parameters<typeof verifierOf>) {
    return (await verifierOf(...args))?.verify(bundle, new Date()).ok;
  }
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  test('names issuer and subject exactly', async () => {
    expect(await accepts({ issuer, subject })).toBe(true);
    expect(await accepts({ issuer, subject: subject.slice(0, -1) })).toBe(false);
    expect(await accepts({ issuer: `${issuer}/`, subject })).toBe(false);
    // An exact text is no expression, even if it looks like one.
    expect(await accepts({ issuer: 'https://.+', subject })).toBe(false);
    expect(await accepts({ issuer, subject: '.+' })).toBe(false);
  });

  test('or by expressions that match all of it', async () => {
    const any = { issuerRegExp: 'https://.+', subjectRegExp: '.+' };
    expect(await accepts(any)).toBe(true);
    expect(await accepts({ ...any, subjectRegExp: subject.slice(0, 5) })).toBe(false);
    expect(await accepts({ ...any, issuerRegExp: 'https' })).toBe(false);
  });

  test('is one verifier for as long as it is the same', async () => {
    const verifier = await verifierOf({ issuer, subject });
    expect(await verifierOf({ issuer, subject })).toBe(verifier);
    expect(await verifierOf({ issuer, subjectRegExp: subject })).not.toBe(verifier);
    const other = Buffer.concat([root, Buffer.from(' ')]);
    expect(await verifierOf({ issuer, subject }, sha256(other), other)).not.toBe(verifier);
  });

  test('naming only one of them is refused', async () => {
    await failure('ERR_VERIFICATION_POLICY_INVALID', accepts({ issuer }), /names no subject/);
    await failure('ERR_VERIFICATION_POLICY_INVALID', accepts({ subject }), /names no issuer/);
  });

  test('counts with the trusted root alone that the policy pins', async () => {
    await failure(
      'ERR_TRUSTED_ROOT_INVALID',
      accepts({ issuer, subject }, sha256(Buffer.from('another'))),
      /authority ci, keyless: the trusted root in ConfigMap trust has SHA-256/,
    );
  });
});
