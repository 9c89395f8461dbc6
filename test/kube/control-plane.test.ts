// The control plane as the chart runs it: its command line, with its account's rights, on a real API server.

import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/control-plane.ts';
import { containerArgs, one, releaseNamespace, render, startHelm } from '../support/helm.ts';
import { writeAccess } from '../support/kube/kubeconfig.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { freePort, loopbackAddress } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { TrellisProcess } from '../unit/cli/commands/support.ts';

const account = 'trellis-control-plane';
const kinds = ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding'];

let kube: Kube;
let args: readonly string[];

beforeAll(async () => {
  kube = await startKube();
  await kube.applyCrds();
  for (const name of [releaseNamespace, 'trading']) {
    await kube.create('/api/v1/namespaces', { metadata: { name } });
  }
  const objects = await render(await startHelm(), { controlPlane: { enabled: true } });
  const own = objects.filter(({ kind, metadata }) => kinds.includes(kind) && metadata.name === account);
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: own });
  expect(await kube.kubectl(['apply', '-f', '-'], { stdin: list })).toMatchObject({ status: 0 });
  args = containerArgs(one(objects, 'Deployment', account));
});

interface Place {
  readonly process: TrellisProcess;
  readonly metrics: string;
}

/** The container's own arguments, on free ports and with a directory of the test's in place of the volume. */
async function start(): Promise<Place> {
  const directory = await temporaryDirectory();
  const token = await kube.tokenFor(releaseNamespace, account);
  const kubeconfig = await writeAccess(directory, { server: kube.url, caFile: kube.caFile, token });
  const host = loopbackAddress();
  const metrics = `${host}:${await freePort(host)}`;
  const places: Readonly<Record<string, string>> = {
    '--state': join(directory, 'state'),
    '--listen': `${host}:${await freePort(host)}`,
    '--metrics': metrics,
  };
  const moved = args.map((arg) => {
    const [option = ''] = arg.split('=', 1);
    return places[option] === undefined ? arg : `${option}=${places[option]}`;
  });
  return { process: new TrellisProcess([...moved, '--kubeconfig', kubeconfig]), metrics };
}

const isReady = async ({ metrics }: Place) => (await fetch(`http://${metrics}/readyz`)).status === 200;
const objects = async ({ metrics }: Place, kind: string): Promise<number> => {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  return Number(new RegExp(`^trellis_source_objects\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
};

const services = '/apis/quantum.io/v1/namespaces/trading/quantumservices';
const quantumService = (name: string) => ({
  ...{ apiVersion: 'quantum.io/v1', kind: 'QuantumService', metadata: { name } },
  spec: { selector: { matchLabels: { app: name } } },
});

test('it is ready with what the API server has, hears of changes, and outlives an API server that is away', async () => {
  await kube.create(services, quantumService('before'));
  const place = await start();
  await until('readiness', () => isReady(place));
  expect(await objects(place, 'quantum_service')).toBe(1);
  expect(place.process.output).not.toContain('ERR_KUBE_FORBIDDEN');
  await kube.create(services, quantumService('after'));
  await until('the change', async () => (await objects(place, 'quantum_service')) === 2);
  await kube.restart();
  expect(await isReady(place)).toBe(true);
  await until(
    'custom resources to be served',
    async () => (await kube.request('GET', services)).status === 200,
  );
  await kube.create(services, quantumService('later'));
  await until('the change', async () => (await objects(place, 'quantum_service')) === 3);
  // Of all kinds, the last of which may be one that was read again after the change.
  await until('its word', () => place.process.output.includes('the API server can be read again'));
  expect(await place.process.stop()).toMatchObject({ exitCode: 0 });
});

test('without a right it needs it is not ready, and says which', async () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const role = (await kube.request('GET', `${roles}/${account}`)).body as {
    rules: readonly { resources: readonly string[] }[];
  };
  const rules = role.rules.filter(({ resources }) => !resources.includes('quantumsecuritypolicies'));
  await kube.request('PUT', `${roles}/${account}`, { ...role, rules, metadata: { name: account } });
  const place = await start();
  await until('its complaint', () => /QuantumSecurityPolicy.*ERR_KUBE_FORBIDDEN/.test(place.process.output));
  expect(await isReady(place)).toBe(false);
  await kube.request('PUT', `${roles}/${account}`, { ...role, metadata: { name: account } });
  await until('readiness', () => isReady(place));
});
