import { once } from 'node:events';
import { chmod, lstat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { toPem } from '../../../../src/crypto/pem.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { TestControlPlane, temporaryDirectory } from '../../../support/control-plane.ts';
import { strangerRoot } from '../../../support/impostors.ts';
import { workloadManifests } from '../../../support/manifests.ts';
import { freePort, loopbackAddress } from '../../../support/ports.ts';
import { until } from '../../../support/until.ts';
import { expectFailure, TrellisProcess, trellis } from './support.ts';

let controlPlane: TestControlPlane;
beforeAll(async () => {
  controlPlane = await TestControlPlane.start({
    manifests: { 'all.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) },
  });
});

interface Options {
  readonly controlPlane: string;
  readonly trustAnchor: string;
  readonly tokenFile: string;
  readonly socket: string;
}

async function options(change: Partial<Options> = {}): Promise<Options> {
  const directory = await temporaryDirectory();
  return {
    controlPlane: `${controlPlane.address.host}:${controlPlane.address.port}`,
    trustAnchor: join(controlPlane.stateDirectory, 'trust-anchor.pem'),
    tokenFile: '-',
    socket: join(directory, 'agent.sock'),
    ...change,
  };
}

const commandLine = (given: Options, ...more: readonly string[]): string[] => [
  'agent',
  ...['--control-plane', given.controlPlane, '--trust-anchor', given.trustAnchor],
  ...['--token-file', given.tokenFile, '--socket', given.socket, ...more],
];

async function file(content: string, mode = 0o600): Promise<string> {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, content, { mode });
  await chmod(path, mode);
  return path;
}

const wrongToken = `trellis-join-${'A'.repeat(43)}`;

describe('a wrong command line ends with 2 and says what is right:', () => {
  const required = commandLine({
    controlPlane: '127.0.0.1:1',
    trustAnchor: 'x',
    tokenFile: 'y',
    socket: 'z',
  });
  test.each<[readonly string[], RegExp]>([
    [['agent'], /required option '--control-plane <host:port>' not specified/],
    [required.slice(0, 3), /required option '--trust-anchor <file>' not specified/],
    [required.slice(0, 5), /required option '--token-file <file>' not specified/],
    [required.slice(0, 7), /required option '--socket <path>' not specified/],
    [[...required, '--control-plane', 'nowhere'], /give HOST:PORT/],
    [[...required, '--trust-domain', 'A'], /'--trust-domain <name>'/],
    [[...required, '--log-level', 'x'], /choose one of/],
    // A token on the command line could be read by everyone on the machine.
    [[...required, '--token', wrongToken], /unknown option '--token'/],
    [[...required, wrongToken], /too many arguments/],
  ])('%j', async (argv, message) => {
    expectFailure(await trellis(...argv), 2, message);
  });
});

describe('it does not start', () => {
  test.each([
    ['missing', async () => '/nowhere/trust-anchor.pem', /ENOENT/],
    ['empty', () => file(''), /cannot use the trust anchor file/],
    ['torn', () => file('-----BEGIN CERTIFICATE-----\nMIIB'), /cannot use the trust anchor file/],
    [
      'classical',
      () => file(toPem('CERTIFICATE', strangerRoot('ECDSA-P256').certificate.der)),
      /ECDSA-P256.*not post-quantum/,
    ],
  ])('with a trust anchor file that is %s', async (_, make, message) => {
    const outcome = await trellis(...commandLine(await options({ trustAnchor: await make() })));
    expectFailure(
      outcome,
      78,
      message,
      /it is trust-anchor\.pem in the state directory of the control plane/,
    );
  });

  test('with the anchor of another trust domain', async () => {
    const argv = commandLine(await options(), '--trust-domain', 'other.example');
    expectFailure(await trellis(...argv), 78, /cannot use the trust anchor file .*other\.example/);
  });

  test.each([
    ['is missing', async () => '/nowhere/token', /the join token \/nowhere\/token: there is no such file/],
    [
      'can be read by others',
      () => file(wrongToken, 0o640),
      /the join token .* is open to others.*run chmod 600/,
    ],
    ['is empty', () => file('\n'), /is empty/],
    ['is no token file', () => file('x'.repeat(5000)), /larger than 4096 bytes/],
  ])('when the token file %s', async (_, make, message) => {
    const outcome = await trellis(...commandLine(await options({ tokenFile: await make() })));
    expectFailure(outcome, 78, message);
    expect(outcome.stderr).not.toContain(wrongToken);
  });

  test.each([
    ['is empty', '', /standard input is empty/],
    ['has no end', 'x'.repeat(1_000_000), /standard input is too long to hold a secret/],
  ])('when standard input %s', async (_, input, message) => {
    expectFailure(await new TrellisProcess(commandLine(await options()), input).ended, 78, message);
  });

  test('with a token that the control plane refuses, and does not repeat it', async () => {
    const outcome = await trellis(...commandLine(await options({ tokenFile: await file(wrongToken) })));
    expectFailure(outcome, 1, /refused the join token: ERR_JOIN_TOKEN_UNKNOWN/, /trellis token create/);
    expect(outcome.stderr).not.toContain(wrongToken);
  });

  test('on a socket path that is too long, taken, or in no directory', async () => {
    const tokenFile = await file(await controlPlane.token('client'));
    const taken = await file('precious');
    for (const [socket, message] of [
      [`/tmp/${'x'.repeat(120)}`, /longer than 107 bytes: choose a shorter directory/],
      [taken, /exists and is not a socket: choose another path/],
      ['/nowhere/agent.sock', /cannot listen on \/nowhere\/agent\.sock/],
    ] as const) {
      expectFailure(await trellis(...commandLine(await options({ tokenFile, socket }))), 78, message);
    }
    // The token was not used up by any of this.
    const agent = new TrellisProcess(commandLine(await options({ tokenFile })));
    await until('it to join', () => agent.output.includes('joined the mesh'));
    expect((await agent.stop()).exitCode).toBe(0);
  });

  test('where the port for metrics is in use', async () => {
    const [host, port] = [loopbackAddress(), 15_014];
    const other = createServer().listen(port, host);
    await once(other, 'listening');
    onEnd(() => other.close());
    const argv = commandLine(
      await options({ tokenFile: await file(wrongToken) }),
      '--metrics',
      `${host}:${port}`,
    );
    expectFailure(await trellis(...argv), 69, /metrics and health: .* is in use by another process/);
  });
});

test('it runs until it is told to stop, and shows nobody its token', async () => {
  const token = await controlPlane.token('client');
  const given = await options();
  const host = loopbackAddress();
  const metrics = `${host}:${await freePort(host)}`;
  const agent = new TrellisProcess(
    commandLine(given, '--metrics', metrics, '--log-level', 'trace'),
    `${token}\n`,
  );
  await until('readiness', async () => (await fetch(`http://${metrics}/readyz`)).status === 200);
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  expect(text).toMatch(/^trellis_agent_control_plane_connected 1$/m);
  expect(text).toMatch(/^trellis_svid_expiry_timestamp_seconds \d+/m);
  const { exitCode, stdout, stderr } = await agent.stop();
  expect([exitCode, stdout]).toEqual([0, '']);
  expect(stderr).toContain('joined the mesh');
  expect(stderr + text).not.toContain(token);
  expect(stderr + text).not.toContain('PRIVATE KEY');
  await expect(lstat(given.socket)).rejects.toMatchObject({ code: 'ENOENT' });
});
