// The GitHub Action and the GitLab component: their scripts, run with bash as a runner does, against real registries. What only the CI
// systems themselves can do (checking out, installing) is left out; what they are given by name is checked against the files.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { runTrellis } from '../support/cli.ts';
import { runCosign } from '../support/cosign.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry, testAccount } from '../support/registry.ts';
import { identityToken, startSigstore } from '../support/sigstore.ts';

const root = join(import.meta.dirname, '../..');
const password = 'correct horse';
let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'trellis-ci-'));
  const made = await runTrellis(['keygen', '--out-prefix', 'ci'], {
    cwd,
    env: { TRELLIS_PASSWORD: password },
  });
  expect(made).toMatchObject({ status: 0 });
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

async function bash(script: string, env: Readonly<Record<string, string>>) {
  const child = spawn('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', '-c', script], {
    cwd,
    env: {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: cwd,
      TRELLIS_PASSWORD: password,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string; readonly required?: boolean }>>;
  readonly runs: {
    readonly steps: readonly {
      readonly name: string;
      readonly run: string;
      readonly env?: Record<string, string>;
    }[];
  };
}

/** The step that signs, with the inputs put in as a runner would. */
async function action(inputs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const parsed = parse(await readFile(join(root, 'action.yml'), 'utf8')) as Action;
  const step = parsed.runs.steps.find(({ name }) => name === 'Sign');
  const value = (expression: string) => {
    const name = /^\$\{\{ inputs\.([a-z-]+) \}\}$/.exec(expression)?.[1] ?? '';
    expect(Object.keys(parsed.inputs), expression).toContain(name);
    return inputs[name] ?? parsed.inputs[name]?.default ?? '';
  };
  const given = Object.entries(step?.env ?? {}).map(([name, expression]) => [name, value(expression)]);
  const output = join(cwd, 'github-output');
  await writeFile(output, '');
  const run = await bash(step?.run ?? 'false', {
    ...Object.fromEntries(given),
    ...env,
    GITHUB_ACTION_PATH: root,
    GITHUB_OUTPUT: output,
  });
  return { ...run, output: await readFile(output, 'utf8') };
}

/** Keys as CI secrets: in the environment, never in a file. */
async function secrets() {
  return {
    MLDSA_KEY: await readFile(join(cwd, 'ci.mldsa65.key'), 'utf8'),
    P256_KEY: await readFile(join(cwd, 'ci.p256.key'), 'utf8'),
  };
}

test('the GitHub Action signs with keys from secrets', async () => {
  const registry = await startRegistry({ kind: 'ggcr', auth: 'bearer' });
  const [a, b] = [
    await pushTestImage(registry, { repository: 'a' }),
    await pushTestImage(registry, { repository: 'b' }),
  ];
  const env = { DOCKER_CONFIG: registry.dockerConfig };
  const images = `\n  ${a.reference}\r\n\n${b.reference}`;
  const keys = 'env://MLDSA_KEY\nenv://P256_KEY\n';
  const run = await action(
    { images, keys, annotations: 'commit=4f53 cda\n' },
    { ...env, ...(await secrets()) },
  );
  expect(run, run.stderr).toMatchObject({ status: 0 });
  expect(run.output).toMatch(/^result<<(trellis-[0-9a-f]{32})\n\{[\s\S]*\n\1\n$/);
  for (const { reference } of [a, b]) {
    const verify = [
      'verify',
      '--key',
      'ci.mldsa65.pub',
      '--key',
      'ci.p256.pub',
      '-a',
      'commit=4f53 cda',
      reference,
    ];
    expect(await runTrellis(verify, { cwd, env })).toMatchObject({ status: 0 });
  }
});

test('the GitHub Action signs keyless beside an ML-DSA key, and stock cosign verifies the identity', async () => {
  const registry = await startRegistry({ kind: 'distribution' });
  const sigstore = await startSigstore();
  await writeFile(join(cwd, 'trusted_root.json'), sigstore.trustedRoot());
  const { reference } = await pushTestImage(registry, { repository: 'keyless' });
  const inputs = {
    ...{ images: reference, keys: 'env://MLDSA_KEY', keyless: 'true', 'trusted-root': 'trusted_root.json' },
    ...{ 'fulcio-url': sigstore.url, 'rekor-url': sigstore.url, 'timestamp-url': sigstore.tsaUrl },
  };
  const env = { ...(await secrets()), SIGSTORE_ID_TOKEN: identityToken() };
  const run = await action(inputs, env);
  expect(run, run.stderr).toMatchObject({ status: 0 });
  const identity = [
    ...['--certificate-identity', 'https://ci.example/trading/orders/.pipeline@refs/heads/main'],
    ...['--certificate-oidc-issuer', 'https://token.ci.example', '--trusted-root', 'trusted_root.json'],
  ];
  expect(
    await runTrellis(['verify', '--key', 'ci.mldsa65.pub', ...identity, reference], { cwd }),
  ).toMatchObject({
    status: 0,
  });
  const part = [
    ...['--certificate-identity-regexp', 'https://ci\\.example/trading/orders'],
    ...['--certificate-oidc-issuer', 'https://token.ci.example', '--trusted-root', 'trusted_root.json'],
  ];
  expect(await runTrellis(['verify', '--key', 'ci.mldsa65.pub', ...part, reference], { cwd })).toMatchObject({
    status: 1,
  });
  const cosign = await runCosign(['verify', ...identity, reference], { cwd });
  expect(cosign, cosign.stderr).toMatchObject({ status: 0 });
});

test('what an input holds is never a command or an option, and a failure is the failure of the step', async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  const { reference } = await pushTestImage(registry, { repository: 'a' });
  const marker = join(cwd, 'injected');
  const env = await secrets();
  const keys = 'env://MLDSA_KEY\nenv://P256_KEY';
  for (const images of [`${reference}; touch ${marker}`, `$(touch ${marker})`, '--json']) {
    expect(await action({ images, keys }, env)).toMatchObject({ status: 2 });
  }
  await expect(readFile(marker)).rejects.toThrow('ENOENT');
  expect(await action({ images: reference, keys, keyless: 'yes' }, env)).toMatchObject({ status: 2 });
  for (const name of ['fulcio-url', 'rekor-url', 'trusted-root']) {
    const ignored = await action({ images: reference, keys, [name]: 'https://service.example' }, env);
    expect(ignored).toMatchObject({ status: 2, stderr: expect.stringContaining(`--${name} means nothing`) });
  }
  expect(await action({ images: `${registry.host}/a:missing`, keys }, env)).toMatchObject({ status: 3 });
});

test('the GitLab component signs with the registry credentials of the job', async () => {
  const registry = await startRegistry({ kind: 'distribution', auth: 'basic' });
  const { reference } = await pushTestImage(registry, { repository: 'group/app' });
  const documents = parseAllDocuments(await readFile(join(root, 'ci/gitlab.yml'), 'utf8')).map((each) =>
    each.toJS(),
  );
  const [{ spec }, { 'sign-images': job }] = documents as [
    { spec: { inputs: Record<string, { default?: unknown }> } },
    { 'sign-images': { variables: Record<string, string>; script: readonly string[] } },
  ];
  const inputs: Record<string, string> = { images: reference, keys: 'env://MLDSA_KEY\nenv://P256_KEY' };
  const variables = Object.entries(job.variables).map(([name, expression]) => {
    const input = /^\$\[\[ inputs\.([a-z-]+) \]\]$/.exec(expression)?.[1] ?? '';
    expect(Object.keys(spec.inputs), expression).toContain(input);
    return [name, inputs[input] ?? String(spec.inputs[input]?.default ?? '')];
  });
  await symlink(root, join(cwd, 'project.trellis'));
  // Cloning and installing are the first three lines.
  const run = await bash(job.script.slice(3).join('\n'), {
    ...Object.fromEntries(variables),
    ...(await secrets()),
    CI_PROJECT_DIR: join(cwd, 'project'),
    CI_REGISTRY: registry.host,
    CI_REGISTRY_USER: testAccount.user,
    CI_REGISTRY_PASSWORD: testAccount.password,
  });
  expect(run, run.stderr).toMatchObject({ status: 0 });
  const verify = ['verify', '--key', 'ci.mldsa65.pub', '--key', 'ci.p256.pub', reference];
  const env = { DOCKER_CONFIG: registry.dockerConfig };
  expect(await runTrellis(verify, { cwd, env })).toMatchObject({ status: 0 });
});
