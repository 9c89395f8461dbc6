import { beforeEach, describe, expect, test } from 'vitest';
import type { Descriptor } from '../../../../src/registry/descriptor.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { encodeKeyBundle, parseBundle } from '../../../../src/signing/format/bundle.ts';
import { referrerManifest } from '../../../../src/signing/format/referrer.ts';
import { keyHint } from '../../../../src/signing/keys/public-key.ts';
import type { SigningParty } from '../../../../src/signing/sign/party.ts';
import { type Claim, encodePayload, signatureClaim } from '../../../../src/signing/sign/payload.ts';
import { failure } from '../support.ts';
import { MemoryRegistry } from './memory-registry.ts';
import { bundleOf, now, partyOf, reference, type SigningChanges, signWith, statementOf } from './support.ts';

const [mldsa, ecdsa, third] = [partyOf('ML-DSA-65'), partyOf('ECDSA-P256'), partyOf('ECDSA-P256')];
const both = [mldsa, ecdsa];

let registry: MemoryRegistry;
let image: Descriptor;
beforeEach(() => {
  registry = new MemoryRegistry();
  image = registry.putImage('an image');
});

const signBoth = (changes?: SigningChanges, signal?: AbortSignal) =>
  signWith(registry, both, changes, signal);

interface Placed {
  readonly signers: readonly SigningParty[];
  /** Who the payload says signs; those who do, unless given. */
  readonly named?: readonly SigningParty[];
  readonly claim?: Claim;
  readonly repository?: string;
  readonly digest?: Digest;
}

/** What somebody has attached before, all over one payload. */
async function place({ signers, named = signers, ...about }: Placed): Promise<void> {
  const { claim = signatureClaim(), repository = 'registry.example/trading/app', digest } = about;
  const payload = encodePayload({
    claim,
    subject: digest ?? image.digest,
    repository: parseReference(repository),
    signers: named.map(({ publicKey }) => publicKey),
    now: now(),
    randomBytes: (length) => Buffer.alloc(length, 7),
  });
  const bundles = await Promise.all(signers.map((party) => party.bundle(payload)));
  await attach(bundles, claim.predicateType);
}

async function attach(bundles: readonly Buffer[], predicateType = signatureClaim().predicateType) {
  const artifacts = bundles.map((bundle) =>
    referrerManifest({ subject: image, bundle, predicateType, created: now() }),
  );
  await registry.client.attach(reference, image, artifacts);
  registry.asked.length = 0;
  registry.written.length = 0;
}

describe('signing', () => {
  test('writes one bundle of each, all at once, the classical one first, over one payload', async () => {
    const [subject] = await signBoth();
    const [artifacts = []] = registry.written;
    expect(registry.writes).toEqual([`attach ${image.digest}`]);
    expect(artifacts.map((each) => bundleOf(each).material)).toEqual(
      [ecdsa, mldsa].map(({ publicKey }) => ({ kind: 'key', hint: keyHint(publicKey) })),
    );
    const manifests = artifacts.map(({ manifest }) => digestOf(manifest));
    expect(subject).toEqual({ digest: image.digest, platform: undefined, added: true, manifests });
    const [first, second] = artifacts.map((each) => bundleOf(each).payload);
    expect(first).toEqual(second);
  });

  test('says who signs, what, where and when', async () => {
    await signBoth({ claim: signatureClaim({ build: '7' }) });
    const [[artifact] = []] = registry.written;
    expect(artifact && statementOf(artifact)).toMatchObject({
      subject: image.digest,
      annotations: { build: '7' },
      binding: {
        reference: 'registry.example/trading/app',
        signedAt: now(),
        signers: [ecdsa, mldsa].map(({ publicKey: { algorithm, spkiSha256 } }) => ({
          algorithm,
          spkiSha256,
        })),
      },
    });
  });

  test('resolves the tag once, and stays with what it named', async () => {
    const other = registry.putImage('another image');
    registry.tags = [image.digest, other.digest];
    expect(await signBoth()).toMatchObject([{ digest: image.digest }]);
    expect(registry.asked.filter((each) => each === 'resolve')).toHaveLength(1);
    expect(registry.asked.filter((each) => each.includes(other.digest))).toEqual([]);
  });

  test('signs an index first, then each of its manifests once', async () => {
    const other = registry.putImage('another image');
    const index = registry.putIndex([image, other, image]);
    const signed = await signBoth({ recursive: true });
    const digests = [index, image, other].map(({ digest }) => digest);
    expect(signed.map(({ digest, added }) => ({ digest, added }))).toEqual(
      digests.map((digest) => ({ digest, added: true })),
    );
    expect(registry.writes).toEqual(digests.map((digest) => `attach ${digest}`));
    const subjects = registry.written.flat().map((each) => statementOf(each).subject);
    expect(subjects).toEqual(digests.flatMap((digest) => [digest, digest]));
  });

  test('of an index adds what is missing, and nothing else', async () => {
    await signBoth();
    registry.asked.length = 0;
    const index = registry.putIndex([image]);
    expect(await signBoth({ recursive: true })).toMatchObject([
      { digest: index.digest, added: true },
      { digest: image.digest, added: false, manifests: [] },
    ]);
    expect(registry.writes).toEqual([`attach ${index.digest}`]);
  });
});

describe('nothing is written', () => {
  test.each(['first', 'last'])('when the party that is named %s fails', async (where) => {
    const failing: SigningParty = {
      publicKey: third.publicKey,
      bundle: async () => {
        // The others have signed by then.
        await new Promise((resolve) => setImmediate(resolve));
        throw new Error('the key is away');
      },
    };
    const parties = where === 'first' ? [failing, mldsa] : [mldsa, failing];
    await expect(signWith(registry, parties)).rejects.toThrow('the key is away');
    expect(registry.writes).toEqual([]);
  });

  test('when it cannot be known what is there', async () => {
    const verify = () => Promise.reject(new Error('the registry is away'));
    await expect(signBoth({ verify })).rejects.toThrow('the registry is away');
    expect(registry.writes).toEqual([]);
  });

  test('when nobody could read it', async () => {
    const claim = signatureClaim({ trellis: 'x' });
    await failure('ERR_STATEMENT_INVALID', signBoth({ claim }), /reserved annotation/);
    expect(registry.writes).toEqual([]);
  });

  test('when the caller has given up before', async () => {
    await expect(signBoth({}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(registry.asked).toEqual([]);
  });

  test('when the caller gives up while a key signs', async () => {
    const controller = new AbortController();
    const slow: SigningParty = {
      publicKey: third.publicKey,
      bundle: async (payload, signal) => {
        expect(signal).toBe(controller.signal);
        controller.abort(new Error('enough'));
        return await third.bundle(payload);
      },
    };
    await expect(signWith(registry, [mldsa, slow], {}, controller.signal)).rejects.toThrow('enough');
    expect(registry.writes).toEqual([]);
  });
});

test('what is written and read is stopped by the caller', async () => {
  const controller = new AbortController();
  registry.keep = (bytes) => {
    controller.abort(new Error('enough'));
    return bytes;
  };
  await expect(signBoth({}, controller.signal)).rejects.toThrow('enough');
  expect(registry.signals[registry.asked.indexOf(`attach ${image.digest}`)]).toBe(controller.signal);
});

describe('what does not verify when it is read back was not signed', () => {
  const junk = Buffer.from('{}');
  test.each<readonly [string, (bytes: Buffer, nth: number) => Buffer | undefined]>([
    ['nothing', () => undefined],
    ['one of two', (bytes, nth) => (nth === 1 ? bytes : undefined)],
    ['other bytes', () => junk],
    ['other bytes for one of two', (bytes, nth) => (nth === 1 ? bytes : junk)],
  ])('the registry keeps %s', async (_, keep) => {
    let nth = 0;
    registry.keep = (bytes) => {
      nth += 1;
      return keep(bytes, nth);
    };
    await failure(
      'ERR_NOT_VERIFIED_AFTER_SIGNING',
      signBoth(),
      /written to registry\.example\/trading\/app, but read back they do not verify: ./,
    );
    expect(nth).toBe(2);
  });

  test('the registry lists what others have attached', async () => {
    registry.keep = () => undefined;
    await place({ signers: [third] });
    await failure('ERR_NOT_VERIFIED_AFTER_SIGNING', signBoth(), /do not verify/);
  });

  test('a party signs with another key than it has named', async () => {
    const wrong: SigningParty = { publicKey: ecdsa.publicKey, bundle: (payload) => third.bundle(payload) };
    await failure('ERR_NOT_VERIFIED_AFTER_SIGNING', signWith(registry, [mldsa, wrong]), /do not verify/);
  });

  test('a certificate that is made for one signing is read back, too', async () => {
    registry.keep = () => undefined;
    await failure('ERR_NOT_VERIFIED_AFTER_SIGNING', signBoth({ mayBeThereAlready: false }), /do not verify/);
  });
});

describe('signing again', () => {
  test('adds nothing when the same have signed the same together', async () => {
    await place({ signers: both });
    expect(await signBoth()).toEqual([
      { digest: image.digest, platform: undefined, added: false, manifests: [] },
    ]);
    expect(registry.writes).toEqual([]);
  });

  test('adds nothing beside junk, either', async () => {
    await attach([Buffer.from('junk')]);
    await place({ signers: both });
    expect(await signBoth()).toMatchObject([{ added: false }]);
  });

  test('is done when nothing could be there, without looking', async () => {
    await place({ signers: both });
    expect(await signBoth({ mayBeThereAlready: false })).toMatchObject([{ added: true }]);
    expect(registry.asked.slice(0, 2)).toEqual(['resolve', `attach ${image.digest}`]);
  });

  const attested = (predicate: unknown, predicateType = 'https://slsa.dev/provenance/v1'): Claim => ({
    ...{ predicateType, predicate, annotations: {} },
  });

  test.each<readonly [string, () => Promise<void>]>([
    ['only some of them have', () => place({ signers: [ecdsa] })],
    [
      'each of them has alone',
      async () => {
        await place({ signers: [ecdsa] });
        await place({ signers: [mldsa] });
      },
    ],
    ['one half is missing', () => place({ signers: [mldsa], named: both })],
    ['they have with others', () => place({ signers: [...both, third] })],
    [
      'they have with others, of whom nothing is there',
      () => place({ signers: both, named: [...both, third] }),
    ],
    ['others have', () => place({ signers: [third] })],
    ['they have in another repository', () => place({ signers: both, repository: 'registry.example/other' })],
    ['they have another image', () => place({ signers: both, digest: digestOf(Buffer.from('other')) })],
    ['they have another claim', () => place({ signers: both, claim: attested({ a: 1 }) })],
    [
      'others have forged it',
      async () => {
        const payload = encodePayload({
          claim: signatureClaim(),
          subject: image.digest,
          repository: reference,
          signers: both.map(({ publicKey }) => publicKey),
          now: now(),
          randomBytes: (length) => Buffer.alloc(length),
        });
        const { signature } = parseBundle(await third.bundle(payload));
        await attach(
          both.map(({ publicKey }) => encodeKeyBundle({ payload, signature, hint: keyHint(publicKey) })),
        );
      },
    ],
    ['there is junk', () => attach([Buffer.from('junk'), Buffer.from('{}')])],
    [
      'there is a list of what is not there',
      async () => {
        registry.list(image.digest, { ...image, digest: digestOf(Buffer.from('nothing')) });
      },
    ],
  ])('adds it all when %s', async (_, before) => {
    await before();
    expect(await signBoth()).toMatchObject([
      { added: true, manifests: [{}, {}].map(() => expect.any(String)) },
    ]);
    expect(registry.writes).toEqual([`attach ${image.digest}`]);
    expect(await signBoth()).toMatchObject([{ added: false }]);
  });

  test('with other annotations adds those', async () => {
    const claim = signatureClaim({ build: '8' });
    await place({ signers: both, claim: signatureClaim({ build: '7' }) });
    expect(await signBoth({ claim })).toMatchObject([{ added: true }]);
    expect(await signBoth({ claim })).toMatchObject([{ added: false }]);
  });

  test('without annotations is not done by a signature that has some', async () => {
    await place({ signers: both, claim: signatureClaim({ approved: 'no' }) });
    expect(await signBoth()).toMatchObject([{ added: true }]);
    expect(await signBoth()).toMatchObject([{ added: false }]);
    expect(await signBoth({ claim: signatureClaim({ approved: 'no', by: 'qa' }) })).toMatchObject([
      { added: true },
    ]);
  });

  test.each<readonly [string, Claim, boolean]>([
    ['the same', attested({ a: 1, b: [{ c: null }] }), false],
    ['the same in another order', attested({ b: [{ c: null }], a: 1 }), false],
    [
      'the same, once it is written',
      attested({ a: 1, b: [Object.assign(Object.create(null), { c: null })], d: undefined }),
      false,
    ],
    ['something else', attested({ a: 2, b: [{ c: null }] }), true],
    ['something less', attested({ a: 1 }), true],
    ['something more', attested({ a: 1, b: [{ c: null }], d: 1 }), true],
    ['the same of another type', attested({ a: 1, b: [{ c: null }] }, 'https://spdx.dev/Document'), true],
  ])('attesting %s', async (_, claim, added) => {
    await place({ signers: both, claim: attested({ a: 1, b: [{ c: null }] }) });
    expect(await signBoth({ claim })).toMatchObject([{ added }]);
    expect(registry.writes).toHaveLength(added ? 1 : 0);
    expect(await signBoth({ claim })).toMatchObject([{ added: false }]);
  });

  test('attests although others have attested the same', async () => {
    await place({ signers: [third], claim: attested({ a: 1 }) });
    await place({ signers: [ecdsa], claim: attested({ a: 1 }) });
    expect(await signBoth({ claim: attested({ a: 1 }) })).toMatchObject([{ added: true }]);
  });
});
