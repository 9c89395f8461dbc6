// Signatures with keys, in both directions, on real registries: stock cosign accepts the classical half of ours and is not
// disturbed by the rest, and we accept cosign's where a policy asks for no more than it says.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import { parseBundle } from '../../src/signing/format/bundle.ts';
import { parseTrustedRoot } from '../../src/signing/keyless/trusted-root.ts';
import { type PublicKey, publicKeyFromPem, publicKeyPem } from '../../src/signing/keys/public-key.ts';
import { localSigner, type Signer } from '../../src/signing/keys/signer.ts';
import { keyParty, type SigningParty, type Timestamper } from '../../src/signing/sign/party.ts';
import { signatureClaim } from '../../src/signing/sign/payload.ts';
import { requestTimestamp } from '../../src/signing/timestamp/request.ts';
import { verifyTimestamps } from '../../src/signing/timestamp/verify.ts';
import type { Authority } from '../../src/signing/verify/policy.ts';
import { runCosign } from '../support/cosign.ts';
import { registryKinds } from '../support/registry.ts';
import { startSigstore, type TestSigstore } from '../support/sigstore.ts';
import { attach, cosign, directory, fileOf, type ImageWorld, judge, startImages } from './images.ts';

const slsa = 'https://slsa.dev/provenance/v1';
const password = { COSIGN_PASSWORD: 'correct horse' };

let ecdsa: Signer;
let mldsa: Signer;
let ecdsaFile: string;
let sigstore: TestSigstore;
let timestamp: Timestamper;
/** A key pair that cosign made, and its public half here. */
let cosignKey: { readonly privateFile: string; readonly publicFile: string; readonly publicKey: PublicKey };
/** Tells cosign to use no log: none is on this machine. */
let noServices: string;

beforeAll(async () => {
  ecdsa = localSigner(generateSigningKey('ECDSA-P256'));
  mldsa = localSigner(generateSigningKey('ML-DSA-65'));
  ecdsaFile = await fileOf(publicKeyPem(ecdsa.publicKey), 'ec.pub');
  sigstore = await startSigstore();
  timestamp = (signature, signal) =>
    requestTimestamp(signature, { tsaUrl: sigstore.tsaUrl, random: randomBytes }, signal);
  const prefix = join(await directory(), 'cosign');
  await cosign(['generate-key-pair', '--output-key-prefix', prefix], password);
  const publicFile = `${prefix}.pub`;
  const publicKey = publicKeyFromPem(await readFile(publicFile, 'utf8'));
  cosignKey = { privateFile: `${prefix}.key`, publicFile, publicKey };
  noServices = await fileOf('', 'signing_config.json');
  await cosign(['signing-config', 'create', '--out', noServices]);
});

function keysets(...keys: readonly PublicKey[]): Partial<Authority> {
  return { keysets: [{ name: 'ci', notAfter: undefined, keys }] };
}

const cosignVerify = (reference: string, ...more: readonly string[]) =>
  runCosign(['verify', '--key', ecdsaFile, '--insecure-ignore-tlog', ...more, reference]);

describe.each(registryKinds)('on %s', (kind) => {
  let images: ImageWorld;
  beforeAll(async () => {
    images = await startImages(kind);
  });

  describe('cosign verifies what we sign', () => {
    const orders: [string, (parties: SigningParty[]) => SigningParty[]][] = [
      ['the classical half first', (parties) => parties],
      ['the classical half last', (parties) => parties.toReversed()],
    ];

    test.each(orders)('with both halves attached, %s', async (_name, order) => {
      for (const inline of [true, false]) {
        const image = await images.image();
        await attach(images, image, { parties: order([keyParty(ecdsa), keyParty(mldsa)]), inline });
        const { status, stdout, stderr } = await cosignVerify(image.reference);
        expect(status, stderr).toBe(0);
        expect(stdout).toContain(image.digest);
        const both = keysets(ecdsa.publicKey, mldsa.publicKey);
        expect(await judge(images, image, both)).toMatchObject({ ok: true });
        // The halves stand only together.
        expect(await judge(images, image, keysets(ecdsa.publicKey))).toMatchObject({ ok: false });
      }
    });

    test('and not what somebody else signed, or what nobody signed', async () => {
      const image = await images.image();
      expect((await cosignVerify(image.reference)).status).not.toBe(0);
      const stranger = localSigner(generateSigningKey('ECDSA-P256'));
      await attach(images, image, { parties: [keyParty(stranger), keyParty(mldsa)] });
      expect((await cosignVerify(image.reference)).status).not.toBe(0);
    });

    test('with annotations', async () => {
      const image = await images.image();
      const claim = signatureClaim({ commit: '4c1f', pipeline: 'main' });
      await attach(images, image, { parties: [keyParty(ecdsa), keyParty(mldsa)], claim });
      const right = await cosignVerify(image.reference, '-a', 'commit=4c1f', '-a', 'pipeline=main');
      expect(right.status, right.stderr).toBe(0);
      expect((await cosignVerify(image.reference, '-a', 'commit=other')).status).not.toBe(0);
      const both = keysets(ecdsa.publicKey, mldsa.publicKey);
      expect(await judge(images, image, both, { annotations: { commit: '4c1f' } })).toMatchObject({
        ok: true,
      });
      expect(await judge(images, image, both, { annotations: { commit: 'other' } })).toMatchObject({
        ok: false,
      });
    });

    test('with time-stamps, whether it looks at them or not', async () => {
      const image = await images.image();
      const stamped: Buffer[] = [];
      const parties = [ecdsa, mldsa].map((signer) => {
        const { publicKey, bundle } = keyParty(signer, timestamp);
        return {
          publicKey,
          bundle: async (payload: Uint8Array) => {
            stamped.push(await bundle(payload));
            return stamped.at(-1) ?? Buffer.alloc(0);
          },
        };
      });
      await attach(images, image, { parties });
      const trustedRoot = sigstore.trustedRoot();
      for (const bytes of stamped) {
        expect(verifyTimestamps(parseBundle(bytes), parseTrustedRoot(trustedRoot), new Date())).toMatchObject(
          {
            ok: true,
          },
        );
      }
      const root = ['--trusted-root', await fileOf(trustedRoot, 'trusted_root.json')];
      for (const more of [[], root, [...root, '--use-signed-timestamps']]) {
        const { status, stderr } = await cosignVerify(image.reference, ...more);
        expect(status, stderr).toBe(0);
      }
      // It did look: a root that does not know the authority changes its mind.
      const ignorant = sigstore.trustedRoot((json) => {
        json.timestampAuthorities = [];
      });
      const other = ['--trusted-root', await fileOf(ignorant, 'other.json'), '--use-signed-timestamps'];
      expect((await cosignVerify(image.reference, ...other)).status).not.toBe(0);
      const both = keysets(ecdsa.publicKey, mldsa.publicKey);
      expect(await judge(images, image, both)).toMatchObject({ ok: true });
    });

    test('as an attestation, whose predicate is its own', async () => {
      const image = await images.image();
      const predicate = { buildDefinition: { buildType: 'https://ci.example/build' }, runDetails: {} };
      const claim = { predicateType: slsa, predicate, annotations: {} };
      const parties = [keyParty(ecdsa), keyParty(mldsa)];
      await attach(images, image, { parties, claim });
      const verify = (type: string) =>
        runCosign([
          ...['verify-attestation', '--key', ecdsaFile, '--insecure-ignore-tlog'],
          ...['--type', type, image.reference],
        ]);
      const right = await verify('slsaprovenance1');
      expect(right.status, right.stderr).toBe(0);
      const { payload } = JSON.parse(right.stdout.trim().split('\n').at(-1) ?? '');
      expect(JSON.parse(Buffer.from(payload, 'base64').toString()).predicate).toEqual(predicate);
      expect((await verify(slsa)).status).toBe(0);
      expect((await verify('spdx')).status).not.toBe(0);
      await attach(images, image, { parties });
      const both = keysets(ecdsa.publicKey, mldsa.publicKey);
      const attestations = [{ predicateType: slsa, condition: undefined }];
      expect(await judge(images, image, both, { attestations })).toMatchObject({ ok: true });
    });
  });

  describe('we verify what cosign signs', () => {
    const sign = (reference: string, ...more: readonly string[]) =>
      cosign(
        ['sign', '--yes', '--key', cosignKey.privateFile, '--signing-config', noServices, ...more, reference],
        password,
      );

    test('where the policy does not demand the repository, and not where it does', async () => {
      const image = await images.image();
      await sign(image.reference);
      const authority = keysets(cosignKey.publicKey);
      const verdict = await judge(images, image, authority, { bindReference: 'none' });
      expect(verdict).toMatchObject({ ok: true, signatures: [{ ok: true, binding: undefined }] });
      expect(await judge(images, image, authority)).toMatchObject({
        ok: false,
        signatures: [{ code: 'unbound' }],
      });
      const stranger = keysets(ecdsa.publicKey);
      expect(await judge(images, image, stranger, { bindReference: 'none' })).toMatchObject({ ok: false });
    });

    test('with annotations', async () => {
      const image = await images.image();
      await sign(image.reference, '-a', 'commit=4c1f');
      const authority = keysets(cosignKey.publicKey);
      const of = (commit: string) => ({ bindReference: 'none', annotations: { commit } }) as const;
      expect(await judge(images, image, authority, of('4c1f'))).toMatchObject({ ok: true });
      expect(await judge(images, image, authority, of('other'))).toMatchObject({ ok: false });
    });

    test('beside our own signatures, with both verifiers', async () => {
      const image = await images.image();
      await sign(image.reference);
      await attach(images, image, { parties: [keyParty(ecdsa), keyParty(mldsa)] });
      await cosign([...['verify', '--key', cosignKey.publicFile, '--insecure-ignore-tlog'], image.reference]);
      expect((await cosignVerify(image.reference)).status).toBe(0);
      const both = keysets(ecdsa.publicKey, mldsa.publicKey);
      expect(await judge(images, image, both)).toMatchObject({ ok: true });
      const cosigns = keysets(cosignKey.publicKey);
      expect(await judge(images, image, cosigns, { bindReference: 'none' })).toMatchObject({ ok: true });
    });

    test('as an attestation', async () => {
      const image = await images.image();
      const predicate = { buildDefinition: { buildType: 'https://ci.example/build' }, runDetails: {} };
      const file = await fileOf(JSON.stringify(predicate), 'predicate.json');
      await sign(image.reference);
      await cosign(
        [
          ...['attest', '--yes', '--key', cosignKey.privateFile, '--signing-config', noServices],
          ...['--type', 'slsaprovenance1', '--predicate', file, image.reference],
        ],
        password,
      );
      const authority = keysets(cosignKey.publicKey);
      const seen: unknown[] = [];
      const condition = {
        text: 'a build of ours',
        holds: (statement: { readonly predicate: unknown }) => {
          seen.push(statement.predicate);
          return true as const;
        },
      };
      const verdict = await judge(images, image, authority, {
        bindReference: 'none',
        attestations: [{ predicateType: slsa, condition }],
      });
      expect(verdict).toMatchObject({ ok: true });
      for (const each of seen) expect(each).toEqual(predicate);
      expect(seen.length).toBeGreaterThan(0);
      const unbound = { attestations: [{ predicateType: slsa, condition: undefined }] };
      expect(await judge(images, image, authority, unbound)).toMatchObject({ ok: false });
      const others = [{ predicateType: 'https://spdx.dev/Document', condition: undefined }];
      expect(
        await judge(images, image, authority, { bindReference: 'none', attestations: others }),
      ).toMatchObject({ ok: false });
    });
  });
});
