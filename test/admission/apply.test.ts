// `kubectl apply` as a user does it: what is not signed as the policy demands is refused with a reason, what is signed runs, by its
// digest.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { onEnd } from '../support/cleanup.ts';
import { runTrellis } from '../support/cli.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

let cluster: AdmissionCluster;
let registry: TestRegistry;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trellis-apply-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({ plainHttp: [registry.host] });
  const made = await runTrellis(['keygen', '--out-prefix', 'ci'], {
    cwd: directory,
    env: { TRELLIS_PASSWORD: '' },
  });
  expect(made).toMatchObject({ status: 0 });
  await cluster.createNamespace('trading');
  const key = async (file: string, algorithm: string) => ({
    algorithm,
    publicKey: await readFile(join(directory, file), 'utf8'),
  });
  await cluster.applyPolicy('trading', 'images', {
    images: [
      {
        match: [`${registry.host}/trading/**`],
        authorities: [
          {
            name: 'ci',
            keysets: [
              {
                name: 'ci-2026',
                keys: [await key('ci.mldsa65.pub', 'ML-DSA-65'), await key('ci.p256.pub', 'ECDSA-P256')],
              },
            ],
          },
        ],
      },
    ],
  });
});

const manifest = (name: string, image: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'trading' },
    spec: { containers: [{ name: 'app', image }] },
  });

describe('kubectl apply', () => {
  test('of an unsigned image is refused: which image, which key, which policy, and what to do', async () => {
    const { reference } = await pushTestImage(registry, { repository: 'trading/unsigned' });
    const applied = await cluster.kube.kubectl(['apply', '-f', '-'], {
      stdin: manifest('unsigned', reference),
    });
    expect(applied.status).toBe(1);
    expect(applied.stderr).toContain(reference);
    expect(applied.stderr).toContain('QuantumSecurityPolicy trading/images, rule 1');
    expect(applied.stderr).toMatch(/ML-DSA-65 key [0-9a-f]{12}/);
    expect(applied.stderr).toContain('trellis sign');
  });

  test('of a signed image, by its tag, makes a pod that runs its digest', async () => {
    const { digest } = await pushTestImage(registry, { repository: 'trading/gateway', tag: '1.4' });
    const image = `${registry.host}/trading/gateway:1.4`;
    const signed = await runTrellis(['sign', '--key', 'ci.mldsa65.key', '--key', 'ci.p256.key', image], {
      cwd: directory,
      env: { TRELLIS_PASSWORD: '' },
    });
    expect(signed).toMatchObject({ status: 0 });
    const applied = await cluster.kube.kubectl(['apply', '-f', '-'], { stdin: manifest('gateway', image) });
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    const got = await cluster.kube.kubectl([
      ...['get', 'pod', 'gateway', '-n', 'trading', '-o', 'jsonpath={.spec.containers[0].image}'],
    ]);
    expect(got.stdout).toBe(`${image}@${digest}`);
  });
});
