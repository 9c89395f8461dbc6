// Signatures and attestations with keys, in both directions, on real registries: stock cosign takes the classical half of
// what we write and is not disturbed by the rest, and we read what stock cosign writes.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import { type PublicKey, publicKeyFromPem, publicKeyPem } from '../../src/signing/keys/public-key.ts';
import { localSigner } from '../../src/signing/keys/signer.ts';
import { keyParty } from '../../src/signing/sign/party.ts';
import type { VerificationPolicy } from '../../src/signing/verify/policy.ts';
import { runCosign } from '../support/cosign.ts';
import { registryKinds } from '../support/registry.ts';
import { attach, cosign, directory, fileOf, type ImageWorld, judge, startImages } from './images.ts';

const ml = localSigner(generateSigningKey('ML-DSA-65'));
const ec = localSigner(generateSigningKey('ECDSA-P256'));
const slsa = 'https://slsa.dev/provenance/v1';
const custom = 'https://example.com/claim';
const ours = { keysets: [keyset(ml.publicKey, ec.publicKey)] };

function keyset(...keys: readonly PublicKey[]) {
  return { name: 'ci', notAfter: undefined, keys };
}

function wanting(predicateType: string, by: string): Partial<VerificationPolicy> {
  const holds = ({ predicate }: { predicate: unknown }) =>
    (predicate as { by?: string }).by === by || 'it is by somebody else';
  return { attestations: [{ predicateType, condition: { text: `by ${by}`, holds } }] };
}

describe.each(registryKinds)('on %s', (kind) => {
  let images: ImageWorld;
  let publicKeyFile: string;
  beforeAll(async () => {
    images = await startImages(kind);
    publicKeyFile = await fileOf(publicKeyPem(ec.publicKey), 'ec.pub');
  });

  const verifying = (...more: readonly string[]) => [
    'verify',
    '--insecure-ignore-tlog',
    '--key',
    publicKeyFile,
    ...more,
  ];

  test.each([
    ['ECDSA first', [ec, ml]],
    ['ML-DSA first', [ml, ec]],
  ])('cosign takes the classical half of a signature of ours, %s', async (_, signers) => {
    const image = await images.image();
    const claim = { predicateType: 'https://sigstore.dev/cosign/sign/v1', annotations: { build: '7' } };
    await attach(images, image, { parties: signers.map((signer) => keyParty(signer)), claim });
    await cosign(verifying(image.reference));
    await cosign(verifying('-a', 'build=7', image.reference));
    expect((await runCosign(verifying('-a', 'build=8', image.reference))).status).not.toBe(0);
    expect(await judge(images, image, ours)).toMatchObject({ ok: true });
    expect(await judge(images, image, ours, { annotations: { build: '7' } })).toMatchObject({ ok: true });
    expect(await judge(images, image, ours, { annotations: { build: '8' } })).toMatchObject({ ok: false });
  });

  test('cosign takes the classical half of an attestation of ours', async () => {
    const image = await images.image();
    const predicate = { by: 'ci', buildDefinition: {}, runDetails: {} };
    const claim = { predicateType: slsa, predicate, annotations: { build: '7' } };
    const parties = [keyParty(ec), keyParty(ml)];
    await attach(images, image, { parties });
    await attach(images, image, { parties, claim });
    const args = ['verify-attestation', '--insecure-ignore-tlog', '--key', publicKeyFile];
    const { stdout } = await cosign([...args, '--type', 'slsaprovenance1', image.reference]);
    expect(stdout).toContain('"payloadType":"application/vnd.in-toto+json"');
    expect((await runCosign([...args, '--type', 'spdx', image.reference])).status).not.toBe(0);
    expect(await judge(images, image, ours, wanting(slsa, 'ci'))).toMatchObject({ ok: true });
    expect(await judge(images, image, ours, wanting(slsa, 'me'))).toMatchObject({ ok: false });
  });

  test('what stock cosign signs and attests passes where references are not bound, and only there', async () => {
    const image = await images.image();
    const cwd = await directory();
    const env = { COSIGN_PASSWORD: 'x' };
    await cosignIn(cwd, env, ['generate-key-pair']);
    await cosignIn(cwd, env, ['signing-config', 'create', '--out', 'config.json']);
    await writeFile(join(cwd, 'predicate.json'), '{"by":"cosign"}');
    const signing = ['-y', '--signing-config', 'config.json', '--key', 'cosign.key'];
    await cosignIn(cwd, env, ['sign', ...signing, '-a', 'build=7', image.reference]);
    await cosignIn(cwd, env, [
      'attest',
      ...signing,
      '--type',
      custom,
      '--predicate',
      'predicate.json',
      image.reference,
    ]);

    const key = publicKeyFromPem(await readFile(join(cwd, 'cosign.pub'), 'utf8'));
    const theirs = { keysets: [keyset(key)] };
    const unbound = { bindReference: 'none', ...wanting(custom, 'cosign') } as const;
    const verdict = await judge(images, image, theirs, unbound);
    expect(verdict).toMatchObject({ ok: true });
    expect(verdict.signatures).toHaveLength(2);
    for (const report of verdict.signatures) {
      expect(report).toMatchObject({
        ok: true,
        spkiSha256: key.spkiSha256,
        claimed: { spkiSha256: key.spkiSha256 },
        binding: undefined,
      });
    }
    expect(await judge(images, image, theirs, { ...unbound, annotations: { build: '7' } })).toMatchObject({
      ok: true,
    });
    expect(await judge(images, image, theirs, { ...unbound, annotations: { build: '8' } })).toMatchObject({
      ok: false,
    });
    expect(await judge(images, image, theirs, { ...unbound, ...wanting(custom, 'me') })).toMatchObject({
      ok: false,
    });
    expect(await judge(images, image, ours, unbound)).toMatchObject({ ok: false });
    const bound = await judge(images, image, theirs);
    expect(bound.ok).toBe(false);
    expect(bound.signatures.map(({ code }) => code).toSorted()).toEqual(['other-predicate', 'unbound']);
  });
});

async function cosignIn(cwd: string, env: Readonly<Record<string, string>>, args: readonly string[]) {
  const { status, stderr } = await runCosign(args, { cwd, env });
  if (status !== 0) throw new Error(`cosign ${args.join(' ')}\n${stderr}`);
}
