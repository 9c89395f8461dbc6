import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { runCosign } from '../../../support/cosign.ts';
import { expectFailure, TrellisProcess, trellis } from './support.ts';

let keys: string;
let directory: string;
let blob: string;

beforeAll(async () => {
  vi.stubEnv('TRELLIS_PASSWORD', 'correct horse');
  keys = await temporaryDirectory();
  for (const name of ['ci', 'other'])
    expect(await trellis('keygen', '--out-prefix', join(keys, name))).toMatchObject({ exitCode: 0 });
});

afterAll(() => vi.unstubAllEnvs());

beforeEach(async () => {
  directory = await temporaryDirectory();
  blob = join(directory, 'app.tar');
  await writeFile(blob, 'what is in the file');
});

const key = (name: string) => ['--key', join(keys, name)];
const bothKeys = () => [...key('ci.mldsa65.key'), ...key('ci.p256.key')];
const bothPubs = () => [...key('ci.mldsa65.pub'), ...key('ci.p256.pub')];
const bundle = (slug: string) => `${blob}.${slug}.sigstore.json`;

async function signed(): Promise<void> {
  expect(await trellis('sign-blob', ...bothKeys(), blob)).toMatchObject({ exitCode: 0, stderr: '' });
}

describe('a signed file', () => {
  test('is verified', async () => {
    await signed();
    expect((await readdir(directory)).sort()).toEqual([
      'app.tar',
      'app.tar.mldsa65.sigstore.json',
      'app.tar.p256.sigstore.json',
    ]);
    const { exitCode, stdout } = await trellis('verify-blob', ...bothPubs(), blob);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^verified {2}.*app\.tar {2}sha256:[0-9a-f]{64}\nsigned by the ML-DSA-65 key [0-9a-f]{64}\n/,
    );
  });

  test('is verified by stock cosign, in two ways', async () => {
    await signed();
    const common = ['--key', join(keys, 'ci.p256.pub'), '--insecure-ignore-tlog', '--bundle', bundle('p256')];
    const type = ['--type', 'https://security.quantum.io/blob-signature/v1'];
    for (const argv of [
      ['verify-blob', ...common],
      ['verify-blob-attestation', ...common, ...type],
    ]) {
      expect((await runCosign([...argv, blob])).status).toBe(0);
    }
    await appendFile(blob, '.');
    expect((await runCosign(['verify-blob', ...common, blob])).status).not.toBe(0);
  });

  test('is not verified after a change, without one half, or with other keys', async () => {
    await signed();
    expectFailure(
      await trellis('verify-blob', ...bothPubs(), '--bundle', bundle('p256'), blob),
      1,
      /is not verified: there is no signature by the ML-DSA-65 key/,
    );
    expectFailure(
      await trellis('verify-blob', ...key('other.mldsa65.pub'), ...key('other.p256.pub'), blob),
      1,
      /by other keys together/,
    );
    await appendFile(blob, '.');
    expectFailure(await trellis('verify-blob', ...bothPubs(), blob), 1, /about another file/);
    await rm(bundle('mldsa65'));
    expectFailure(await trellis('verify-blob', ...bothPubs(), blob), 2, /the bundle .*mldsa65.*no such file/);
  });

  test('is told of in JSON', async () => {
    const signing = JSON.parse((await trellis('sign-blob', ...bothKeys(), '--json', blob)).stdout);
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    expect(signing).toMatchObject({ file: blob, digest, bundles: [{ path: bundle('mldsa65') }, {}] });
    expect(signing.bundles[1]).toEqual({
      path: bundle('p256'),
      algorithm: 'ECDSA-P256',
      spkiSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const good = await trellis('verify-blob', ...bothPubs(), '--json', blob);
    expect(JSON.parse(good.stdout)).toMatchObject({ file: blob, ok: true, digest, reasons: [] });
    await writeFile(blob, 'x');
    const bad = await trellis('verify-blob', ...bothPubs(), '--json', blob);
    expect([bad.exitCode, JSON.parse(bad.stdout).ok]).toEqual([1, false]);
  });

  test('may be standard input', async () => {
    const content = await readFile(blob, 'utf8');
    const sign = ['sign-blob', ...bothKeys(), '--out-prefix', blob, '-'];
    expect(await new TrellisProcess(sign, content).ended).toMatchObject({ exitCode: 0 });
    const bundles = ['--bundle', bundle('p256'), '--bundle', bundle('mldsa65')];
    const verify = ['verify-blob', ...bothPubs(), ...bundles, '-'];
    expect(await new TrellisProcess(verify, content).ended).toMatchObject({ exitCode: 0 });
    expect(await new TrellisProcess(verify, `${content}.`).ended).toMatchObject({ exitCode: 1 });
    expect((await trellis('verify-blob', ...bothPubs(), blob)).exitCode).toBe(0);
  });
});

describe('is refused', () => {
  test('to overwrite a bundle', async () => {
    await writeFile(bundle('p256'), 'what was there');
    expectFailure(await trellis('sign-blob', ...bothKeys(), blob), 2, /never overwritten/);
    expect((await readdir(directory)).sort()).toEqual(['app.tar', 'app.tar.p256.sigstore.json']);
  });

  test('two keys of one algorithm', async () => {
    const two = [...key('ci.p256.key'), ...key('other.p256.key')];
    expectFailure(await trellis('sign-blob', ...two, blob), 2, /two of these keys are of ECDSA-P256/);
  });

  test('nothing to sign or verify with, and standard input without names', async () => {
    expectFailure(await trellis('sign-blob', blob), 2, /nothing to sign with/);
    expectFailure(await trellis('verify-blob', blob), 2, /nothing to verify with/);
    expectFailure(await trellis('sign-blob', ...bothKeys(), '-'), 2, /give --out-prefix/);
    expectFailure(await trellis('verify-blob', ...bothPubs(), '-'), 2, /give --bundle/);
  });

  test('a file that is not there', async () => {
    expectFailure(await trellis('sign-blob', ...bothKeys(), join(directory, 'none')), 2, /no such file/);
  });
});

test('an ECDSA key alone signs with a warning', async () => {
  const { exitCode, stderr } = await trellis('sign-blob', ...key('ci.p256.key'), blob);
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/a quantum computer could forge/);
});
