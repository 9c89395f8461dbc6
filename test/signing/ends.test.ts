// How signing commands end: 0, 1, 2 or 3 whatever goes wrong, in time, and at once when they are told to stop.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEnd } from '../support/cleanup.ts';
import { runTrellis } from '../support/cli.ts';
import { freePort } from '../support/ports.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { startSigstore, type TestSigstore } from '../support/sigstore.ts';

const env = { TRELLIS_PASSWORD: 'correct horse' };
const signers = ['--key', 'ci.mldsa65.key', '--key', 'ci.p256.key'];
const verifiers = ['--key', 'ci.mldsa65.pub', '--key', 'ci.p256.pub'];

let cwd: string;
let registry: TestRegistry;
let image: string;
const trellis = (...args: readonly string[]) => runTrellis(args, { cwd, env });

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'trellis-ends-'));
  expect(await trellis('keygen', '--out-prefix', 'ci')).toMatchObject({ status: 0 });
  expect(await trellis('keygen', '--out-prefix', 'open')).toMatchObject({ status: 0 });
  await chmod(join(cwd, 'open.p256.key'), 0o644);
  await writeFile(join(cwd, 'predicate.json'), '{}');
  await writeFile(join(cwd, 'blob'), 'a file');
  await writeFile(join(cwd, 'broken.json'), '{"mediaType": ');
  await writeFile(join(cwd, 'open-password'), 'correct horse', { mode: 0o644 });
  await mkdir(join(cwd, 'directory'));
  registry = await startRegistry({ kind: 'ggcr' });
  ({ reference: image } = await pushTestImage(registry, { repository: 'app' }));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

describe('every command ends with 0, 1, 2 or 3', () => {
  const attest = ['attest', '--type', 'spdx', '--predicate', 'predicate.json'];
  const check = ['verify-attestation', '--type', 'spdx', ...verifiers];
  const away = async () => `127.0.0.1:${await freePort()}/app:1`;

  test('0: it worked', async () => {
    for (const argv of [
      ['sign', ...signers, image],
      ['verify', ...verifiers, image],
      [...attest, ...signers, image],
      [...check, image],
      ['inspect', image],
      ['copy', image, `${registry.host}/copied:1`],
      ['sign-blob', ...signers, 'blob'],
      ['verify-blob', ...verifiers, 'blob'],
      ['key', 'export', 'ci.p256.key', '--out', 'exported.pem'],
      ['key', 'import', 'exported.pem', '--out-prefix', 'imported'],
    ]) {
      const run = await trellis(...argv);
      expect([argv, run.status, run.stderr.includes('unexpected error')]).toEqual([argv, 0, false]);
    }
  });

  test('1: not verified', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'unsigned' });
    await writeFile(join(cwd, 'other'), 'another file');
    for (const slug of ['mldsa65', 'p256']) await writeFile(join(cwd, `other.${slug}.sigstore.json`), '{}');
    for (const argv of [
      ['verify', ...verifiers, reference],
      [...check, reference],
      ['verify-blob', ...verifiers, 'other'],
    ]) {
      expect([argv, (await trellis(...argv)).status]).toEqual([argv, 1]);
    }
  });

  test('2: the command line, or a file that it names; and it is named', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['sign', '--key', 'missing.key', image], /the key missing\.key: there is no such file/],
      [['sign', '--key', 'open.p256.key', image], /open\.p256\.key is open to others.*chmod 600/],
      [['sign', '--key', 'directory', image], /directory is not a regular file/],
      [['sign', ...signers, '--password-file', 'missing', image], /the password file missing: there is no/],
      [['sign', ...signers, '--password-file', 'open-password', image], /open-password is open to others/],
      [['sign', ...signers, '--registry-ca', 'missing', image], /the CA file missing: there is no such file/],
      [['verify', '--key', 'missing.pub', image], /the key missing\.pub: there is no such file/],
      [['verify', '--policy', 'broken.json', image], /broken\.json/],
      [
        [...attest.slice(0, -1), 'missing.json', ...signers, image],
        /the predicate missing\.json: there is no/,
      ],
      [[...check, '--condition', 'predicate.x.y(', image], /--condition/],
      [['inspect', '--trusted-root', 'missing', image], /the trusted root missing: there is no such file/],
      [['inspect', '--trusted-root', 'broken.json', image], /trusted root cannot be read/],
      [['inspect', 'UPPER/case'], /no image reference/],
      [['copy', image, 'UPPER/case'], /no image reference/],
      [['sign-blob', '--key', 'missing.key', 'blob'], /the key missing\.key: there is no such file/],
      [['sign-blob', ...signers, 'missing'], /the file missing: there is no such file/],
      [['verify-blob', ...verifiers, 'missing'], /there is no such file/],
      [['key', 'export', 'missing.key', '--out', 'x'], /the private key missing\.key: there is no such file/],
      [['key', 'export', 'open.p256.key', '--out', 'x'], /open\.p256\.key is open to others.*chmod 600/],
      [['key', 'export', 'ci.p256.key', '--out', 'nowhere/x'], /nowhere/],
      [
        ['key', 'import', 'missing.pem', '--out-prefix', 'x'],
        /the private key missing\.pem: there is no such/,
      ],
      [
        ['key', 'import', 'open.p256.key', '--out-prefix', 'x'],
        /open\.p256\.key is open to others.*chmod 600/,
      ],
      [['keygen', '--out-prefix', 'nowhere/ci'], /nowhere/],
      [['keygen', '--out-prefix', 'ci'], /is there already/],
    ];
    for (const [argv, message] of cases) {
      const run = await trellis(...argv);
      expect([argv, run.status]).toEqual([argv, 2]);
      expect(run.stderr).toMatch(message);
    }
  });

  test('3: a registry or a service that is away', async () => {
    const port = await freePort();
    for (const argv of [
      ['sign', ...signers, await away()],
      ['verify', ...verifiers, await away()],
      [...attest, ...signers, await away()],
      [...check, await away()],
      ['inspect', await away()],
      ['copy', await away(), image],
      ['sign', ...signers, '--timestamp', `http://127.0.0.1:${port}/`, '-a', 'new=1', image],
    ]) {
      expect([argv, (await trellis(...argv)).status]).toEqual([argv, 3]);
    }
  });
});

/** Takes connections and says nothing. */
async function silentRegistry(): Promise<{ readonly host: string; readonly server: Server }> {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: `127.0.0.1:${address.port}`, server };
}

describe('against a registry that says nothing', () => {
  test.each([
    [['sign', ...signers]],
    [['attest', '--type', 'spdx', '--predicate', 'predicate.json', ...signers]],
    [['verify', ...verifiers]],
    [['inspect']],
  ])('%j ends with 3 at its --deadline', async (argv) => {
    const run = await trellis(...argv, '--deadline', '300ms', `${(await silentRegistry()).host}/app:1`);
    expect(run).toMatchObject({ status: 3, stdout: '' });
    expect(run.stderr).toMatch(/within 300 ms/);
  });

  test('copy does, too', async () => {
    const run = await trellis('copy', '--deadline', '300ms', `${(await silentRegistry()).host}/app:1`, image);
    expect(run).toMatchObject({ status: 3 });
    expect(run.stderr).toMatch(/within 300 ms \(--deadline\)/);
  });

  test.each([['sign'], ['verify'], ['inspect']])(
    'Ctrl-C ends %s at once, and leaves no file',
    async (name) => {
      const { host, server } = await silentRegistry();
      const before = await readdir(cwd);
      const temporary = await mkdtemp(join(cwd, '..', 'trellis-tmp-'));
      onEnd(() => rm(temporary, { recursive: true, force: true }));
      const keys = name === 'sign' ? signers : name === 'verify' ? verifiers : [];
      const script = fileURLToPath(new URL('../../bin/trellis.js', import.meta.url));
      const child = spawn(process.execPath, [script, name, ...keys, `${host}/app:1`], {
        cwd,
        env: { PATH: '/usr/bin:/bin', HOME: temporary, XDG_CACHE_HOME: temporary, TMPDIR: temporary, ...env },
        stdio: 'ignore',
      });
      onEnd(() => void child.kill('SIGKILL'));
      const ended = once(child, 'close');
      await once(server, 'connection');
      child.kill('SIGINT');
      expect(await ended).toEqual([null, 'SIGINT']);
      expect(await readdir(cwd)).toEqual(before);
      // What is kept between runs is no temporary file.
      expect((await readdir(temporary)).filter((each) => !/^(\.cache|trellis)$/.test(each))).toEqual([]);
    },
  );
});

describe('--timestamp', () => {
  let sigstore: TestSigstore;
  beforeAll(async () => {
    sigstore = await startSigstore();
    await writeFile(join(cwd, 'root.json'), sigstore.trustedRoot());
    const other = await startSigstore();
    await writeFile(join(cwd, 'other-root.json'), other.trustedRoot());
  });

  const sign = (target: string, ...argv: readonly string[]) =>
    trellis('sign', ...signers, '--timestamp', sigstore.tsaUrl, ...argv, target);

  test('with --trusted-root writes only what verifies, and inspect verifies it again', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'stamped' });
    const refused = await sign(reference, '--trusted-root', 'other-root.json');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/time-stamp .*refused under --trusted-root, and nothing was written/);
    expect((await trellis('inspect', reference)).stdout).toContain(' 0 referrers');

    expect(await sign(reference, '--trusted-root', 'root.json')).toMatchObject({ status: 0 });
    const inspected = await trellis('inspect', '--trusted-root', 'root.json', reference);
    expect(inspected.stdout.match(/1 time-stamp, verified: the signature existed at \d{4}-/g)).toHaveLength(
      2,
    );
    const without = await trellis('inspect', reference);
    expect(without.stdout.match(/1 time-stamp, not verified: give --trusted-root/g)).toHaveLength(2);
    const wrong = await trellis('inspect', '--trusted-root', 'other-root.json', reference);
    expect(wrong.stdout.match(/1 time-stamp, refused: /g)).toHaveLength(2);
  });

  test('without --trusted-root stamps all the same', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'stamped' });
    expect(await sign(reference)).toMatchObject({ status: 0 });
    const { stdout } = await trellis('inspect', '--json', '--trusted-root', 'root.json', reference);
    const document = JSON.parse(stdout) as { attached: readonly { timestampVerdict: unknown }[] };
    const good = { ok: true, times: [expect.stringMatching(/^\d{4}-/)] };
    expect(document.attached.map((each) => each.timestampVerdict)).toEqual([good, good]);
  });
});
