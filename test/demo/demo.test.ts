// The whole of it: the control plane, eight agents, eight Envoys and eight applications, as `npm start` runs them.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkIds } from '../../src/cli/demo/check.ts';
import type { DemoJson } from '../../src/cli/demo/demo-json.ts';
import type { DemoReport } from '../../src/cli/demo/report.ts';
import { expectNothingLeft, runDemo, startDemo } from './support.ts';

/** On a busy machine of two cores; the demo has its own, shorter, limits for every step. */
const timeout = 240_000;
const startTimeoutMs = 120_000;

describe('trellis demo --exit --json', { timeout }, () => {
  test('every check holds, standard output is one JSON document, and nothing is left', async () => {
    const run = await startDemo(['--exit', '--json']);
    const { code, stdout, stderr } = await run.ended;
    const report = JSON.parse(stdout) as DemoReport;
    expect(report.checks.map(({ id }) => id)).toEqual([...checkIds]);
    for (const { id, ok, detail } of report.checks) expect(ok, `${id}: ${detail}\n${stderr}`).toBe(true);
    expect(report).toMatchObject({ ok: true, envoy: expect.stringMatching(/^1\.\d+\.\d+/) });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(0);
    await expectNothingLeft(run);
  });

  test('says that not all was checked when it is stopped', async () => {
    const run = await startDemo(['--exit', '--json']);
    await expect.poll(run.progress, { timeout: startTimeoutMs }).toContain('allowed-call');
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: 'stopped by SIGINT' });
    expect(code).toBe(1);
    await expectNothingLeft(run);
  });
});

describe('trellis demo --state', { timeout }, () => {
  let state: string;
  beforeEach(async () => {
    state = await mkdtemp(join(tmpdir(), 'demo-state-'));
  });
  afterEach(() => rm(state, { recursive: true, force: true }));

  async function started(): Promise<DemoJson> {
    const read = async (): Promise<DemoJson | undefined> =>
      await readFile(join(state, 'demo.json'), 'utf8').then(
        (text) => JSON.parse(text) as DemoJson,
        () => undefined,
      );
    await expect.poll(read, { timeout: startTimeoutMs, interval: 50 }).toBeDefined();
    return (await read()) ?? expect.fail('demo.json is gone again');
  }

  test('says where everything is once it is there, keeps edits, and ends when asked to', async () => {
    const run = await startDemo(['--state', state]);
    const json = await started();
    expect(json.services).toHaveLength(8);
    const [gateway] = json.services;
    expect(gateway).toMatchObject({
      name: 'gateway',
      namespace: 'quantum-trader',
      spiffeId: 'spiffe://cluster.local/ns/quantum-trader/sa/gateway',
    });
    for (const { address, inboundPort, outboundPort, adminPort } of json.services) {
      for (const port of [inboundPort, outboundPort, adminPort]) await connected(address, port);
    }
    for (const place of [json.controlPlane, json.metrics]) {
      const [host = '', port] = place.split(':');
      await connected(host, Number(port));
    }
    expect(await readFile(json.trustBundle, 'utf8')).toContain('BEGIN CERTIFICATE');

    const second = await runDemo(['--state', state]);
    expect(second).toMatchObject({ code: 69, stderr: expect.stringContaining('in use by another demo') });

    run.child.kill('SIGTERM');
    const { code, stdout } = await run.ended;
    expect(code).toBe(0);
    expect(stdout).toContain(join(state, 'manifests', 'policies'));
    await expectNothingLeft(run);
    expect((await readdir(state)).sort()).toEqual(['.trellis-demo', 'control-plane', 'logs', 'manifests']);

    const policy = join(state, 'manifests', 'policies', 'gateway.yaml');
    const edited = `${await readFile(policy, 'utf8')}# mine\n`;
    await writeFile(policy, edited);
    const again = await startDemo(['--state', state]);
    await started();
    again.child.kill('SIGHUP');
    expect((await again.ended).code).toBe(0);
    await expectNothingLeft(again);
    expect(await readFile(policy, 'utf8')).toBe(edited);
  });

  test('a proxy that dies is reported with its log, and ends the demo', async () => {
    const run = await startDemo(['--state', state]);
    await started();
    const envoys = (await pidsOf(run.child.pid ?? 0)).filter(({ command }) =>
      command.includes('--config-yaml'),
    );
    const [victim] = envoys;
    if (victim === undefined) throw new Error('no Envoy is running');
    process.kill(victim.pid, 'SIGKILL');
    const { code, stderr } = await run.ended;
    expect(code).toBe(69);
    expect(stderr).toMatch(/envoy \S+ was ended by SIGKILL/);
    await expectNothingLeft(run);
  });

  test('two demos run side by side', async () => {
    const one = await startDemo(['--state', state]);
    const json = await started();
    const two = await startDemo([]);
    await expect
      .poll(() => two.processes(), { timeout: startTimeoutMs })
      .toContainEqual(expect.stringContaining('--config-yaml'));
    const places = (await two.processes()).join('\n');
    expect(places).not.toContain(json.controlPlane);
    for (const run of [one, two]) run.child.kill('SIGINT');
    for (const run of [one, two]) {
      expect((await run.ended).code).toBe(0);
      await expectNothingLeft(run);
    }
  });
});

describe('the end of a demo', { timeout }, () => {
  // From before anything is started to after everything is.
  test.each([200, 700, 1500, 4000, 8000])('Ctrl-C after %i ms leaves nothing', async (ms) => {
    const run = await startDemo([]);
    await sleep(ms);
    run.child.kill('SIGINT');
    await run.ended;
    await expectNothingLeft(run);
  });

  test.each([1500, 8000])('SIGKILL after %i ms leaves nothing either', async (ms) => {
    const run = await startDemo([]);
    await sleep(ms);
    run.child.kill('SIGKILL');
    await run.ended;
    await expectNothingLeft(run);
  });
});

describe('wrong inputs', { timeout: 60_000 }, () => {
  test.each<[string, string[], number, RegExp]>([
    ['--json alone', ['--json'], 2, /--json is for the results of --exit/],
    ['an argument', ['gateway'], 2, /too many arguments/],
    ['an unknown option', ['--fast'], 2, /unknown option/],
    ['--state without a value', ['--state'], 2, /argument missing/],
  ])('%s', async (_what, args, code, message) => {
    expect(await runDemo(args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
  });

  test('a directory that holds something else', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'demo-foreign-'));
    await writeFile(join(directory, 'thesis.txt'), 'important');
    const { code, stdout, stderr } = await runDemo(['--state', directory, '--exit', '--json']);
    expect(code).toBe(78);
    expect(stderr).toContain('not a state directory of the demo');
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      checks: [],
      error: expect.stringContaining('not empty'),
    });
    expect(await readdir(directory)).toEqual(['thesis.txt']);
    await rm(directory, { recursive: true });
  });

  async function fakeEnvoy(script: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'demo-envoy-'));
    const path = join(directory, 'envoy');
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
    return path;
  }
  const version = (number: string): string =>
    `echo "envoy  version: abcdef0/${number}/Clean/RELEASE/BoringSSL"`;

  test('an Envoy that is too old', async () => {
    const env = { TRELLIS_ENVOY: await fakeEnvoy(version('1.36.2')) };
    const { code, stdout, stderr } = await runDemo(['--exit', '--json'], env);
    expect(code).toBe(69);
    expect(stderr).toMatch(/is Envoy 1\.36\.2, and ML-DSA certificates need 1\.40\.0 or later/);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, envoy: null });
  });

  test('an Envoy that does not start: the end of its log, and what to do', async () => {
    const start = `[ "$1" = --version ] && { ${version('1.40.0')}; exit 0; }; echo "No space left on device" >&2; exit 1`;
    const run = await startDemo(['--exit', '--json'], { TRELLIS_ENVOY: await fakeEnvoy(start) });
    const { code, stdout, stderr } = await run.ended;
    expect(code).toBe(69);
    expect(stderr).toMatch(
      /envoy \S+ ended with code 1; the end of its log:\n +No space left on device\n +the disk is full/,
    );
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, envoy: '1.40.0', checks: [] });
    await expectNothingLeft(run);
  });
});

async function connected(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port });
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}

/** The children of a process. */
async function pidsOf(
  parent: number,
): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return await Promise.all(
    children
      .trim()
      .split(' ')
      .map(async (pid) => ({ pid: Number(pid), command: await readFile(`/proc/${pid}/cmdline`, 'latin1') })),
  );
}
