import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { onEnd } from '../../../support/cleanup.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { toYaml, workloadManifests } from '../../../support/manifests.ts';
import { freePort, loopbackAddress } from '../../../support/ports.ts';
import { until } from '../../../support/until.ts';
import { expectFailure, TrellisProcess, trellis } from './support.ts';

interface Place {
  readonly state: string;
  readonly manifests: string;
  readonly listen: string;
  readonly metrics: string;
}

async function newPlace(): Promise<Place> {
  const directory = await temporaryDirectory();
  const manifests = join(directory, 'manifests');
  await mkdir(manifests);
  await writeFile(
    join(manifests, 'all.yaml'),
    toYaml(workloadManifests({ name: 'cart', address: '10.0.0.1' })),
  );
  const host = loopbackAddress();
  return {
    state: join(directory, 'state'),
    manifests,
    listen: `${host}:${await freePort(host)}`,
    metrics: `${host}:${await freePort(host)}`,
  };
}

const commandLine = (place: Place, ...more: readonly string[]): string[] => [
  'control-plane',
  ...['--state', place.state, '--manifests', place.manifests],
  ...['--listen', place.listen, '--metrics', place.metrics],
  ...more,
];

/** Runs until it ends by itself. */
const run = (place: Place, ...more: readonly string[]) =>
  new TrellisProcess(commandLine(place, ...more)).ended;

async function ready({ metrics }: Place): Promise<void> {
  await until('readiness', async () => (await fetch(`http://${metrics}/readyz`)).status === 200);
}

/** A state directory as a first start leaves it. */
async function started(place: Place): Promise<void> {
  const process = new TrellisProcess(commandLine(place));
  await ready(place);
  expect((await process.stop()).exitCode).toBe(0);
}

async function occupy(address: string): Promise<void> {
  const [host = '', port] = address.split(':');
  const server = createServer().listen(Number(port), host);
  await once(server, 'listening');
  onEnd(() => server.close());
}

describe('a wrong command line ends with 2 and says what is right:', () => {
  const required = ['--state', '/tmp/x', '--manifests', '/tmp/y'];
  test.each<[readonly string[], RegExp]>([
    [[], /required option '--state <directory>' not specified/],
    [['--state', '/tmp/x'], /give --manifests DIRECTORY, or --kubernetes/],
    [[...required, '--kubernetes'], /--kubernetes and --manifests cannot be given together/],
    [[...required, '--kubeconfig', '/tmp/z'], /--kubeconfig means nothing without --kubernetes/],
    [[...required, '--listen', '15010'], /'--listen <host:port>'.*give HOST:PORT, as in 127.0.0.1:15010/],
    [[...required, '--listen', '127.0.0.1:99999'], /give HOST:PORT/],
    [[...required, '--listen', ':15010'], /give HOST:PORT/],
    [[...required, '--metrics', 'a b:1'], /'--metrics <host:port>'.*give HOST:PORT/],
    [[...required, '--svid-ttl', 'soon'], /give a duration such as 30s, 10m or 1h30m/],
    [[...required, '--svid-ttl', '9s'], /an identity lives from 10s to 24h/],
    [[...required, '--svid-ttl', '25h'], /an identity lives from 10s to 24h/],
    [[...required, '--trust-domain', 'Cluster.local'], /'--trust-domain <name>'/],
    [[...required, '--trust-domain', 'a/b'], /'--trust-domain <name>'/],
    [[...required, '--log-level', 'loud'], /choose one of trace, debug, info/],
    [[...required, '--insecure'], /unknown option '--insecure'/],
    [[...required, 'surplus'], /too many arguments/],
  ])('%j', async (argv, message) => {
    expectFailure(await trellis('control-plane', ...argv), 2, message);
  });
});

describe('it does not start', () => {
  test('on a state directory that others can enter', async () => {
    const place = await newPlace();
    await mkdir(place.state);
    await chmod(place.state, 0o750);
    expectFailure(await run(place), 77, /state is open to others \(mode 750\)/, /chmod 700/);
  });

  test('with a CA directory, or a key, that others can read', async () => {
    const place = await newPlace();
    await started(place);
    const key = join(place.state, 'ca/root/key.pem');
    await chmod(key, 0o644);
    expectFailure(await run(place), 77, /key\.pem is open to others/, /chmod 600/);
    await chmod(key, 0o600);
    await chmod(join(place.state, 'ca'), 0o705);
    expectFailure(await run(place), 77, /ca is open to others/, /chmod 700/);
  });

  test('with a CA of which a file is torn or missing, and never makes another in its place', async () => {
    const place = await newPlace();
    await started(place);
    const key = join(place.state, 'ca/root/key.pem');
    const whole = await readFile(key);
    await truncate(key, 40);
    expectFailure(await run(place), 78, /key .*cannot be used/, /Restore all of its files from one backup/);
    await writeFile(key, '', { mode: 0o600 });
    expectFailure(await run(place), 78, /Restore all of its files/);
    await rm(key);
    expectFailure(await run(place), 78, /key\.pem is missing/, /restore the CA's three files/);
    await expect(stat(key)).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(key, whole, { mode: 0o600 });
    await started(place);
  });

  test('with the CA of another trust domain', async () => {
    const place = await newPlace();
    await started(place);
    expectFailure(
      await run(place, '--trust-domain', 'other.example'),
      78,
      /is that of spiffe:\/\/cluster\.local, not of spiffe:\/\/other\.example/,
    );
  });

  test('where its port is in use', async () => {
    const place = await newPlace();
    await occupy(place.listen);
    expectFailure(
      await run(place),
      69,
      /control plane: .* is in use by another process/,
      /choose another with --listen/,
    );
  });

  test('where the port for metrics is in use, and before it touches anything', async () => {
    const place = await newPlace();
    await occupy(place.metrics);
    expectFailure(await run(place), 69, /metrics and health: .* is in use by another process/);
    await expect(stat(place.state)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('on an address that is not this machine’s', async () => {
    const place = { ...(await newPlace()), listen: '203.0.113.7:15010' };
    expectFailure(await run(place), 69, /203\.0\.113\.7:15010 is not an address of this machine/);
  });

  test('from Kubernetes outside of a cluster, or with a kubeconfig that is none', async () => {
    const place = await newPlace();
    const from = (...options: readonly string[]) =>
      trellis('control-plane', '--state', place.state, '--kubernetes', ...options);
    const variables = ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT'] as const;
    for (const name of variables) vi.stubEnv(name, undefined);
    onEnd(() => vi.unstubAllEnvs());
    expectFailure(await from(), 78, /does not run in a pod/, /--kubeconfig FILE/);
    const kubeconfig = join(place.manifests, 'kubeconfig');
    expectFailure(await from('--kubeconfig', kubeconfig), 78, /kubeconfig cannot be read: ENOENT/);
    await writeFile(kubeconfig, 'clusters: [');
    expectFailure(await from('--kubeconfig', kubeconfig), 78, /kubeconfig is not valid YAML/);
    await expect(stat(place.state)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('with a file where a directory should be', async () => {
    const place = await newPlace();
    await writeFile(place.state, '');
    expectFailure(await run(place), 78, /EEXIST.*\/state'/);
  });
});

describe('it starts', () => {
  test('and is not ready while the manifests are away', async () => {
    const place = await newPlace();
    await rm(place.manifests, { recursive: true });
    const process = new TrellisProcess(commandLine(place));
    const answer = await until('an answer', () => fetch(`http://${place.metrics}/readyz`));
    expect(answer.status).toBe(503);
    await until('the reason', () => process.output.includes(place.manifests));
    await mkdir(place.manifests);
    await writeFile(
      join(place.manifests, 'a.yaml'),
      toYaml(workloadManifests({ name: 'cart', address: '10.0.0.1' })),
    );
    await ready(place);
    expect(await process.stop('SIGINT')).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('below a directory that a group may write, as volumes of Kubernetes are', async () => {
    const place = await newPlace();
    await chmod(dirname(place.state), 0o2775);
    await started(place);
    await started(place);
  });

  test('again on the same state after it was killed', async () => {
    const place = await newPlace();
    const first = new TrellisProcess(commandLine(place));
    await ready(place);
    const anchor = await readFile(join(place.state, 'trust-anchor.pem'), 'utf8');
    await first.stop('SIGKILL');
    await started(place);
    expect(await readFile(join(place.state, 'trust-anchor.pem'), 'utf8')).toBe(anchor);
  });
});
