import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../../../src/crypto/keys.ts';
import type { Explanation } from '../../../../src/explain/explanation.ts';
import { createTokenIssuer } from '../../../../src/identity/tokens/token-issuer.ts';
import { tokenJwksOf } from '../../../../src/identity/tokens/token-keys.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { expectFailure, trellis } from './support.ts';

const manifests = join(import.meta.dirname, '../../../../examples/quantum-trader');
const own = (name: string) => `quantum-trader/${name}`;
const id = (name: string) => `spiffe://cluster.local/ns/quantum-trader/sa/${name}`;

/** One that does not begin with the names of caller and called is the options of a wrong call. */
const explain = (...argv: readonly string[]) => trellis('explain', ...argv, '--manifests', manifests);
const ask = (from: string, to: string, ...argv: readonly string[]) => explain(own(from), own(to), ...argv);

describe('the example', () => {
  test('an allowed call ends with 0 and says what it rests on', async () => {
    const { exitCode, stdout, stderr } = await ask(
      'gateway',
      'execution',
      '--method',
      'POST',
      '--path',
      '/orders/7',
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^allowed {2}quantum-trader\/gateway → quantum-trader\/execution:8002 {2}POST \/orders\/7$/m,
    );
    expect(stdout).toMatch(/policy +quantum-trader\/execution +allows, by rule 0/);
    expect(stdout).toMatch(/counter-sig\. +demanded by quantum-trader\/execution/);
  });

  test('a denied call ends with 1, with the same on standard output and the reason on the other', async () => {
    const { exitCode, stdout, stderr } = await ask('ai-engine', 'execution');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^denied {3}quantum-trader\/ai-engine → quantum-trader\/execution:8002 {2}GET \/$/m,
    );
    expect(stdout).toContain('denies: no rule is about this caller');
    expect(stderr).toBe('trellis: the call is denied: deny:quantum-trader/execution\n');
  });

  test('a condition reads the headers that are given', async () => {
    const limits = ['--method', 'PUT', '--path', '/limits/eur-usd'];
    expect((await ask('gateway', 'risk-safety', ...limits, '--header', 'X-Desk: eur-usd')).exitCode).toBe(0);
    expect((await ask('gateway', 'risk-safety', ...limits, '--header', 'x-desk: gbp-usd')).stderr).toContain(
      'deny:quantum-trader/risk-safety:rule-2:condition-false',
    );
    const twice = ['--header', 'x-desk: eur-usd', '--header', 'x-desk: gbp-usd'];
    expect((await ask('gateway', 'risk-safety', ...limits, ...twice)).stderr).toContain('duplicate-header');
  });

  test('TCP', async () => {
    const { exitCode, stdout } = await ask('execution', 'portfolio', '--port', '5432');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/portfolio:5432 {2}TCP$/m);
  });

  test('--json is one document with every field', async () => {
    const { exitCode, stdout } = await ask(
      'gateway',
      'portfolio',
      '--port',
      '8004',
      '--path',
      '/positions/x',
      '--json',
    );
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      allowed: true,
      reason: null,
      caller: { workload: own('gateway'), identity: id('gateway'), inMesh: true },
      called: {
        kind: 'service',
        name: own('portfolio'),
        port: 8004,
        protocol: 'http',
        through: own('portfolio'),
      },
      request: {
        method: 'GET',
        path: '/positions/x',
        host: 'portfolio.quantum-trader.svc.cluster.local:8004',
        headers: [],
        token: null,
      },
      route: { kind: 'mesh' },
      targets: [
        {
          workload: own('portfolio'),
          identity: id('portfolio'),
          address: expect.any(String),
          port: 8004,
          allowed: true,
          reason: null,
          decidedBy: 'agent',
          connection: {
            encryption: 'mutual-tls',
            version: 'TLSv1.3',
            group: 'X25519MLKEM768',
            signature: 'ML-DSA-65',
            serverIdentities: [id('portfolio')],
            clientCertificate: 'required',
            counterSignature: [],
          },
          policies: [
            {
              policy: own('portfolio'),
              enforcement: 'enforce',
              postQuantumEncryption: null,
              quantumAuthentication: null,
              allows: true,
              rule: 0,
              reason: null,
              cause: null,
              rulesForCaller: [],
            },
            {
              policy: 'trellis-system/mesh',
              enforcement: 'enforce',
              postQuantumEncryption: 'required',
              quantumAuthentication: 'enabled',
              allows: null,
              rule: null,
              reason: null,
              cause: null,
              rulesForCaller: [],
            },
          ],
          audit: [],
        },
      ],
      notes: [],
    });
  });
});

describe('tokens', () => {
  const history = ['--port', '8004', '--path', '/history/2026'];
  const keys = {
    'ML-DSA': generateSigningKey('ML-DSA-65'),
    'JWT-SVID': generateSigningKey('ECDSA-P256'),
  } as const;
  const mint = (
    spiffeId: string,
    audience: string,
    now = new Date(),
    from: Parameters<typeof createTokenIssuer>[1] = keys,
  ) => createTokenIssuer('cluster.local', from).mint({ type: 'ML-DSA', spiffeId, audience, now }).token;

  /** Options with the state directory of a control plane, and a file with the token in it. */
  async function withToken(token: string): Promise<string[]> {
    const directory = await temporaryDirectory();
    const { workloadTokens, jwtSvids } = tokenJwksOf(keys);
    await writeFile(join(directory, 'workload-token-keys.json'), workloadTokens);
    await writeFile(join(directory, 'jwt-svid-keys.json'), jwtSvids);
    const file = join(directory, 'token');
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    return ['--state', directory, '--token', file];
  }

  test('one of the caller for the called workload allows', async () => {
    const options = await withToken(mint(id('rl-training'), id('portfolio')));
    const { exitCode, stdout } = await ask('rl-training', 'portfolio', ...history, ...options, '--json');
    expect(exitCode).toBe(0);
    const { request, targets } = JSON.parse(stdout) as Explanation;
    expect(request?.token).toMatchObject({ valid: true, type: 'ML-DSA', subject: id('rl-training') });
    expect(targets[0]).toMatchObject({ decidedBy: 'agent', policies: [{ allows: true, rule: 2 }, {}] });
    expect(stdout).not.toContain('eyJ');
  });

  test.each([
    ['none', undefined, 'token-missing'],
    ['of somebody else', () => mint(id('gateway'), id('portfolio')), 'token-subject'],
    ['for somebody else', () => mint(id('rl-training'), id('gateway')), 'token-audience'],
    [
      'that has expired',
      () => mint(id('rl-training'), id('portfolio'), new Date(Date.now() - 3_600_000)),
      'token-expired',
    ],
    [
      'of another mesh',
      () =>
        mint(id('rl-training'), id('portfolio'), new Date(), {
          ...keys,
          'ML-DSA': generateSigningKey('ML-DSA-65'),
        }),
      'token-unknown-key',
    ],
    ['that is none', () => 'x.y.z', 'token-malformed'],
  ])('%s: denied by the agent', async (_what, make, cause) => {
    const options = make === undefined ? [] : await withToken(make());
    const { exitCode, stderr } = await ask('rl-training', 'portfolio', ...history, ...options);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`deny:quantum-trader/portfolio:rule-2:${cause}`);
  });

  test('cannot be verified without keys', async () => {
    const file = join(await temporaryDirectory(), 'token');
    await writeFile(file, 'x.y.z', { mode: 0o600 });
    expectFailure(
      await ask('rl-training', 'portfolio', ...history, '--token', file),
      2,
      /--token cannot be verified/,
      /--state/,
    );
    const header = ['--header', 'authorization: Bearer x.y.z'];
    expectFailure(
      await ask('rl-training', 'portfolio', ...history, ...header),
      2,
      /no keys to verify/,
      /add --state/,
    );
    const empty = await temporaryDirectory();
    expectFailure(
      await ask('rl-training', 'portfolio', ...history, '--token', file, '--state', empty),
      78,
      /there is no .*workload-token-keys\.json/,
      /give the --state directory/,
    );
    const both = [...(await withToken('x.y.z')), ...header];
    expectFailure(await ask('rl-training', 'portfolio', ...history, ...both), 2, /give one of the two/);
  });

  test('a token file that others can read, or that holds something else, is not read', async () => {
    const options = await withToken('x.y.z');
    const file = options.at(-1) ?? '';
    await chmod(file, 0o644);
    expectFailure(await ask('rl-training', 'portfolio', ...history, ...options), 78, /open to others/);
    await chmod(file, 0o600);
    await writeFile(file, 'x'.repeat(20_000));
    expectFailure(await ask('rl-training', 'portfolio', ...history, ...options), 78, /larger than \d+ bytes/);
  });
});

describe('mistakes', () => {
  test('names that do not exist get a suggestion', async () => {
    expectFailure(
      await ask('gatewya', 'portfolio'),
      2,
      /there is no pod quantum-trader\/gatewya/,
      /did you mean quantum-trader\/gateway\?/,
    );
    expectFailure(
      await explain('trader/gateway', own('portfolio')),
      2,
      /did you mean quantum-trader\/gateway\?/,
    );
    expectFailure(
      await ask('gateway', 'portfolios'),
      2,
      /no Service or pod/,
      /did you mean quantum-trader\/portfolio\?/,
    );
    expectFailure(
      await explain(own('gateway'), `service:${own('portfolo')}`),
      2,
      /no Service quantum-trader\/portfolo/,
    );
  });

  test('ports', async () => {
    expectFailure(await ask('gateway', 'portfolio'), 2, /several ports: 5432, 8004/, /--port/);
    expectFailure(
      await ask('gateway', 'portfolio', '--port', '80'),
      2,
      /has no port 80/,
      /it has: 5432, 8004/,
    );
    for (const port of ['0', '65536', 'http', '1e3', '-1'])
      expectFailure(await ask('gateway', 'portfolio', '--port', port), 2, /from 1 to 65535|argument missing/);
  });

  test.each([
    [['gateway', own('portfolio')], /NAMESPACE\/POD/],
    [[own('gateway'), 'portfolio'], /NAMESPACE\/SERVICE or NAMESPACE\/POD/],
    [[own('gateway'), 'job:a/b'], /NAMESPACE\/SERVICE or NAMESPACE\/POD/],
    [[own('gateway')], /missing required argument 'called'/],
    [[own('gateway'), own('execution'), '--path', 'orders'], /begins with \//],
    [[own('gateway'), own('execution'), '--header', 'x'], /is no header/],
    [[own('gateway'), own('execution'), '--method', 'CONNECT'], /TCP/],
    [[own('gateway'), own('execution'), '--trust-domain', 'A'], /trust domain/],
  ])('%j', async (argv, message) => {
    expectFailure(await explain(...argv), 2, message);
  });

  test('manifests that the control plane would not take', async () => {
    const directory = await temporaryDirectory();
    const bad = join(directory, 'bad');
    await mkdir(bad);
    await writeFile(
      join(bad, 'a.yaml'),
      'apiVersion: security.quantum.io/v1\nkind: QuantumSecurityPolicy\nmetadata: {name: a}\nspec: {slector: {}}\n',
    );
    const call = ['explain', own('gateway'), own('portfolio'), '--manifests'];
    expectFailure(
      await trellis(...call, bad),
      78,
      /a\.yaml:4:8: error: .*did you mean selector/,
      /mend them first/,
    );
    expectFailure(
      await trellis(...call, join(directory, 'missing')),
      78,
      /cannot be read \(ENOENT\)/,
      /say where the manifests are/,
    );
    const empty = join(directory, 'empty');
    await mkdir(empty);
    expectFailure(await trellis(...call, empty), 2, /there is no manifest/, /there is none at all/);
  });
});
