// The signing commands as a CI job runs them, against both kinds of registry, with stock cosign as the other verifier.

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runTrellis } from '../support/cli.ts';
import { runCosign } from '../support/cosign.ts';
import { freePort } from '../support/ports.ts';
import { pushTestImage, pushTestIndex } from '../support/registry/images.ts';
import { registryKinds, startRegistry, type TestRegistry } from '../support/registry.ts';

const env = { TRELLIS_PASSWORD: 'correct horse' };
const signers = ['--key', 'ci.mldsa65.key', '--key', 'ci.p256.key'];
const verifiers = ['--key', 'ci.mldsa65.pub', '--key', 'ci.p256.pub'];

let cwd: string;
const trellis = (...args: readonly string[]) => runTrellis(args, { cwd, env });

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'trellis-signing-'));
  for (const prefix of ['ci', 'other']) {
    expect(await trellis('keygen', '--out-prefix', prefix)).toMatchObject({ status: 0 });
  }
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

/** Digests of the referrers' manifests, from the command that lists them. */
async function attached(image: string): Promise<readonly string[]> {
  const { stdout } = await trellis('inspect', '--json', image);
  const { attached } = JSON.parse(stdout) as { attached: readonly { manifest: string }[] };
  return attached.map(({ manifest }) => manifest);
}

/** What a person with write access can do: take a referrer away. */
async function strip(registry: TestRegistry, repository: string, image: string, manifest: string) {
  if (registry.kind === 'distribution') {
    const tag = image.slice(image.indexOf('@') + 1).replace(':', '-');
    const path = `/v2/${repository}/manifests/${tag}`;
    const index = JSON.parse((await registry.request('GET', path)).body.toString()) as {
      manifests: readonly { digest: string }[];
    };
    const rest = { ...index, manifests: index.manifests.filter(({ digest }) => digest !== manifest) };
    const type = 'application/vnd.oci.image.index.v1+json';
    await registry.request('PUT', path, Buffer.from(JSON.stringify(rest)), type);
  }
  await registry.request('DELETE', `/v2/${repository}/manifests/${manifest}`);
}

describe.each(registryKinds)('on %s', (kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ kind });
  });
  afterAll(() => registry.stop());

  test('signs a tag by its digest; trellis demands both halves, and stock cosign accepts the classical one', async () => {
    const { digest } = await pushTestImage(registry, { repository: 'app', tag: '1.4' });
    const image = `${registry.host}/app:1.4`;
    expect(await trellis('verify', ...verifiers, image)).toMatchObject({ status: 1 });

    const signed = await trellis('sign', ...signers, '-a', 'commit=4f53', image);
    expect(signed).toMatchObject({ status: 0, stderr: '' });
    expect(signed.stdout).toBe(`signed  ${registry.host}/app@${digest}\n`);

    const verified = await trellis('verify', ...verifiers, '-a', 'commit=4f53', image);
    expect(verified).toMatchObject({ status: 0 });
    expect(verified.stdout).toContain(digest);
    const cosign = await runCosign(
      ['verify', '--key', 'ci.p256.pub', '--insecure-ignore-tlog', '-a', 'commit=4f53', image],
      { cwd },
    );
    expect(cosign, cosign.stderr).toMatchObject({ status: 0 });

    for (const wrong of [
      ['--key', 'other.mldsa65.pub', '--key', 'ci.p256.pub'],
      ['--key', 'ci.mldsa65.pub', '--key', 'other.p256.pub'],
      ['--key', 'ci.mldsa65.pub'],
      [...verifiers, '-a', 'commit=other'],
    ]) {
      expect(await trellis('verify', ...wrong, image)).toMatchObject({ status: 1 });
    }
  });

  test('signing again adds nothing, and signing with other keys does', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'again' });
    await trellis('sign', ...signers, reference);
    const again = await trellis('sign', ...signers, reference);
    expect(again).toMatchObject({ status: 0, stdout: `already signed  ${reference}\n` });
    expect(await attached(reference)).toHaveLength(2);
    await trellis('sign', '--key', 'other.mldsa65.key', '--key', 'other.p256.key', reference);
    expect(await attached(reference)).toHaveLength(4);
    expect(await trellis('verify', ...verifiers, reference)).toMatchObject({ status: 0 });
  });

  test('keys that no policy could ask for together sign nothing', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'twins' });
    const keys = ['--key', 'ci.p256.key', '--key', 'other.p256.key'];
    const { status, stderr } = await trellis('sign', ...keys, reference);
    expect(status).toBe(2);
    expect(stderr).toContain('two of these keys are of ECDSA-P256');
    expect(await attached(reference)).toEqual([]);
  });

  test('a tag that is not there is told with what to look at', async () => {
    for (const argv of [
      ['sign', ...signers],
      ['verify', ...verifiers],
    ]) {
      const { status, stderr } = await trellis(...argv, `${registry.host}/nowhere:1`);
      expect(status).toBe(3);
      expect(stderr).toMatch(/check the name and the tag.*\n {2}registries also say this/);
    }
  });

  test('either half stripped is a denial that names what is missing', async () => {
    for (const half of ['ECDSA-P256', 'ML-DSA-65']) {
      const image = await pushTestImage(registry, { repository: 'stripped' });
      await trellis('sign', ...signers, image.reference);
      const { stdout } = await trellis('inspect', '--json', image.reference);
      const found = JSON.parse(stdout) as {
        attached: readonly { manifest: string; claims: { algorithm: string } }[];
      };
      const victim = found.attached.find(({ claims }) => claims.algorithm === half);
      await strip(registry, 'stripped', image.reference, victim?.manifest ?? '');
      const verdict = await trellis('verify', ...verifiers, image.reference);
      expect(verdict).toMatchObject({ status: 1 });
      expect(verdict.stdout).toContain(`there is no valid signature of ${half} key`);
    }
  });

  test('an index: itself, and with --recursive each manifest under its own digest', async () => {
    const index = await pushTestIndex(registry, { repository: 'multi', tag: '2' });
    const [child] = index.images;
    const image = `${registry.host}/multi:2`;
    expect(await trellis('sign', ...signers, image)).toMatchObject({ status: 0 });
    expect(await trellis('verify', ...verifiers, image)).toMatchObject({ status: 0 });
    expect(await trellis('verify', ...verifiers, child?.reference ?? '')).toMatchObject({ status: 1 });

    const signed = await trellis('sign', '--recursive', '--json', ...signers, image);
    const { images } = JSON.parse(signed.stdout) as {
      images: readonly { subjects: readonly { platform?: string; added: boolean }[] }[];
    };
    expect(images[0]?.subjects.map(({ platform, added }) => [platform, added])).toEqual([
      [undefined, false],
      ['linux/amd64', true],
      ['linux/arm64', true],
    ]);
    expect(await trellis('verify', ...verifiers, child?.reference ?? '')).toMatchObject({ status: 0 });
  });

  test('a time-stamp that is asked for is never taken for there already', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'stamped' });
    await trellis('sign', ...signers, reference);
    const away = `http://127.0.0.1:${await freePort()}/`;
    expect(await trellis('sign', ...signers, '--timestamp', away, reference)).toMatchObject({ status: 3 });
  });

  test('one strange referrer, which anyone who may push can make, changes nothing', async () => {
    const { digest, mediaType, size, reference } = await pushTestImage(registry, { repository: 'strange' });
    await trellis('sign', ...signers, reference);
    const strange = {
      ...{ schemaVersion: 2, mediaType, layers: [], subject: { mediaType, digest, size } },
      config: { mediaType: 'not a media type', digest, size: 2 },
      annotations: { constructor: 'x'.repeat(1000) },
    };
    const bytes = Buffer.from(JSON.stringify(strange).replace('"constructor"', '"__proto__"'));
    const name = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await registry.request('PUT', `/v2/strange/manifests/${name}`, bytes, mediaType);
    expect(await trellis('verify', ...verifiers, reference)).toMatchObject({ status: 0 });
    expect((await trellis('sign', ...signers, reference)).stdout).toContain('already signed');
  });

  test('attests, and verifies what an attestation says', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'attested' });
    await writeFile(join(cwd, 'provenance.json'), '{"buildDefinition": {"buildType": "https://ci.example"}}');
    const statement = ['--type', 'slsaprovenance1', '--predicate', 'provenance.json'];
    expect(await trellis('attest', ...statement, ...signers, reference)).toMatchObject({
      status: 0,
      stdout: `attested  ${reference}\n`,
    });
    expect((await trellis('attest', ...statement, ...signers, reference)).stdout).toBe(
      `already attested  ${reference}\n`,
    );
    const ask = (condition: string) =>
      trellis(
        'verify-attestation',
        '--type',
        'slsaprovenance1',
        '--condition',
        condition,
        ...verifiers,
        reference,
      );
    expect(await ask("predicate.buildDefinition.buildType == 'https://ci.example'")).toMatchObject({
      status: 0,
    });
    const denied = await ask("predicate.buildDefinition.buildType == 'https://other.example'");
    expect(denied).toMatchObject({ status: 1 });
    expect(denied.stdout).toContain('the condition is false');
    expect(await trellis('verify-attestation', '--type', 'spdx', ...verifiers, reference)).toMatchObject({
      status: 1,
    });
    // An attestation is no signature of the image.
    expect(await trellis('verify', ...verifiers, reference)).toMatchObject({ status: 1 });
    const cosign = await runCosign(
      [
        'verify-attestation',
        '--type',
        'slsaprovenance1',
        '--key',
        'ci.p256.pub',
        '--insecure-ignore-tlog',
        reference,
      ],
      { cwd },
    );
    expect(cosign, cosign.stderr).toMatchObject({ status: 0 });
  });

  test('decides as the policies of a file do', async () => {
    const { reference, digest } = await pushTestImage(registry, { repository: 'trading/gateway' });
    await trellis('sign', ...signers, reference);
    const verify = async (file: string, policy: string) => {
      await writeFile(join(cwd, file), policy);
      return await trellis('verify', '--policy', file, '--json', reference);
    };
    const good = await policyOf(registry.host);
    expect(await verify('good.yaml', good)).toMatchObject({ status: 0 });
    for (const [name, policy] of Object.entries({
      'other keys': await policyOf(registry.host, { keys: 'other' }),
      ended: await policyOf(registry.host, { notAfter: '2026-01-01T00:00:00Z' }),
      'no rule': await policyOf('elsewhere.example'),
      revoked: `${good}  revoked: {digests: ["${digest}"]}\n`,
      'revoked, where it only warns': `${good}  enforcement: warn\n  revoked: {digests: ["${digest}"]}\n`,
      'a level that its keys cannot keep': `${good}  complianceLevel: CNSA-2.0\n`,
      'two policies': `${good}---\n${(await policyOf(registry.host, { keys: 'other' })).replace('name: images', 'name: more')}`,
    })) {
      expect([name, (await verify('bad.yaml', policy)).status]).toEqual([name, 1]);
    }
    const warned = await verify(
      'warn.yaml',
      `${await policyOf(registry.host, { keys: 'other' })}  enforcement: warn\n`,
    );
    expect(warned).toMatchObject({ status: 0 });
    expect(JSON.parse(warned.stdout)).toMatchObject({
      ok: true,
      images: [{ decision: 'allowed', requirements: [{ ok: false, enforcement: 'warn' }] }],
    });
    expect(await verify('wrong.yaml', good.replace('threshold: 1', 'threshold: 9'))).toMatchObject({
      status: 2,
    });
  });

  test('several images: every outcome is told, and "no" is the end', async () => {
    const signed = await pushTestImage(registry, { repository: 'several' });
    const unsigned = await pushTestImage(registry, { repository: 'several' });
    await trellis('sign', ...signers, signed.reference);
    const missing = `${registry.host}/several:missing`;
    const verdict = await trellis(
      'verify',
      '--json',
      ...verifiers,
      signed.reference,
      unsigned.reference,
      missing,
    );
    expect(verdict).toMatchObject({ status: 1 });
    expect(JSON.parse(verdict.stdout)).toMatchObject({
      ok: false,
      images: [{ ok: true }, { ok: false }, { ok: false, error: { code: 'ERR_REGISTRY_NOT_FOUND' } }],
    });
    expect(verdict.stderr).toContain('[3/3]');
    expect(await trellis('verify', ...verifiers, missing)).toMatchObject({ status: 3 });
  });
});

test('what a cosign user expects: the signature by cosign alone passes only where nothing must be bound', async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  const { reference } = await pushTestImage(registry, { repository: 'cosigned' });
  const config = join(cwd, 'signing-config.json');
  expect(await runCosign(['signing-config', 'create', '--out', config])).toMatchObject({ status: 0 });
  const signed = await runCosign(
    ['sign', '--key', 'ci.p256.key', '--signing-config', config, '--yes', reference],
    { cwd, env: { COSIGN_PASSWORD: env.TRELLIS_PASSWORD } },
  );
  expect(signed, signed.stderr).toMatchObject({ status: 0 });
  const key = ['--key', 'ci.p256.pub'];
  expect(await trellis('verify', '--bind-reference', 'none', ...key, reference)).toMatchObject({ status: 0 });
  const strict = await trellis('verify', ...key, reference);
  expect(strict).toMatchObject({ status: 1 });
  expect(strict.stdout).toContain('bindReference: none');
});

test('what is wrong with the command line, or a file it names, is 2; a registry that is away is 3', async () => {
  const away = `127.0.0.1:${await freePort()}/app:1`;
  await writeFile(join(cwd, 'numbers.json'), '{"id": 12345678901234567890}');
  const cases: readonly (readonly [number, readonly string[], string])[] = [
    [2, ['verify', away], 'nothing to verify with'],
    [2, ['sign', away], 'nothing to sign with'],
    [2, ['verify', '--key', 'missing.pub', away], 'missing.pub: there is no such file'],
    [2, ['verify', '--key', 'ci.p256.pub', '--key', 'ci.p256.pub', away], 'same key'],
    [2, ['verify', ...verifiers, 'registry.example/UPPER'], 'no image reference'],
    [2, ['verify', '--policy', 'missing.yaml', away], 'missing.yaml'],
    [2, ['verify', '--policy', 'ci.p256.pub', ...verifiers, away], '--policy'],
    [2, ['sign', '--keyless', away], '--trusted-root'],
    [2, ['sign', ...signers, '--registry-mirror', 'a=b', away], 'unknown option'],
    [
      2,
      ['attest', '--type', 'https://sigstore.dev/cosign/sign/v1', '--predicate', 'a', ...signers, away],
      'signatures',
    ],
    [2, ['attest', '--type', 'spdx', '--predicate', 'numbers.json', ...signers, away], 'exactly'],
    [2, ['verify', '--policy', 'a', '--policy', 'b', away], 'twice'],
    [2, ['verify', '--key', 'ci.p256.key', away], '.pub file'],
    [2, ['sign', '--key', 'ci.p256.pub', away], '.key file'],
    [2, ['keygen', '--algorithm', 'Dilithium3', '--out-prefix', 'd3'], 'ML-DSA-65'],
    [2, ['verify-attestation', ...verifiers, away], '--type'],
    [
      2,
      ['verify-attestation', '--type', 'spdx', '--condition', 'predicat.x', ...verifiers, away],
      'predicate',
    ],
    [3, ['verify', ...verifiers, away], '127.0.0.1'],
    [3, ['sign', ...signers, away], '127.0.0.1'],
  ];
  for (const [status, args, message] of cases) {
    const run = await trellis(...args);
    expect([args, run.status]).toEqual([args, status]);
    expect(run.stderr).toContain(message);
  }
  const wrong = await runTrellis(['sign', ...signers, away], { cwd, env: { TRELLIS_PASSWORD: 'wrong' } });
  expect(wrong).toMatchObject({ status: 2 });
  expect(wrong.stderr).toContain('password');
});

/** A policy for everything in the registry's `trading` repositories. */
async function policyOf(
  host: string,
  { keys = 'ci', notAfter }: { readonly keys?: string; readonly notAfter?: string } = {},
): Promise<string> {
  const pem = async (file: string) => JSON.stringify(await readFile(join(cwd, file), 'utf8'));
  return `apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: images, namespace: trading}
spec:
  images:
  - match: ["${host}/trading/**"]
    authorities:
    - name: ci
      threshold: 1
      keysets:
      - name: only
        ${notAfter === undefined ? '' : `notAfter: ${notAfter}`}
        keys:
        - {algorithm: ML-DSA-65, publicKey: ${await pem(`${keys}.mldsa65.pub`)}}
        - {algorithm: ECDSA-P256, publicKey: ${await pem(`${keys}.p256.pub`)}}
`;
}
