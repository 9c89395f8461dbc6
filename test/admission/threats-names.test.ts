// Other names for an image, on a real API server: the ID of one that is on the node, a name without a registry, the digest of an image in
// a revoked index; and a revocation in an edit that has a mistake in it.

import { beforeAll, describe, expect, test } from 'vitest';
import { imagesOf, messageOf, podSpec } from '../support/admission/pods.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { pushTestImage, pushTestIndex } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

let cluster: AdmissionCluster;
let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({ plainHttp: [registry.host] });
  for (const name of ['named', 'revoking']) await cluster.createNamespace(name);
});

let pods = 0;

async function ask(namespace: string, image: string, more: object = {}) {
  pods += 1;
  const name = `pod-${pods}`;
  const answer = await cluster.createPod(namespace, name, podSpec(image, more));
  return { name, status: answer.status, message: messageOf(answer) };
}

const statusOf = async (namespace: string, image: string) => (await ask(namespace, image)).status;
const anything = { match: ['**'], action: 'allow' };

describe('under a policy that allows by name', () => {
  beforeAll(async () => {
    await cluster.applyPolicy('named', 'images', { images: [{ match: ['docker.io/**'], action: 'allow' }] });
  });

  test.each([`sha256:${'ab'.repeat(32)}`, 'sha256:abcdef', `sha512:${'ab'.repeat(64)}`, 'ab'.repeat(32)])(
    'the ID of an image on the node is refused: %s',
    async (image) => {
      const { status, message } = await ask('named', image);
      expect([status, message]).toEqual([403, expect.stringMatching(/is no image reference: it is .*ID/)]);
    },
  );

  test('a name without a registry is written out, and refused where that is not done', async () => {
    const { name, status } = await ask('named', 'fedora');
    expect(status).toBe(201);
    expect(await imagesOf(cluster.kube, 'named', name)).toEqual(['docker.io/library/fedora:latest']);
    const alone = await ask('named', 'fedora', { hostNetwork: true });
    expect([alone.status, alone.message]).toEqual([403, expect.stringMatching(/fedora names no registry/)]);
    expect((await ask('named', 'docker.io/library/fedora', { hostNetwork: true })).status).toBe(201);
  });
});

describe('what is revoked', () => {
  const revoke = async (digests: readonly string[], more: object = {}) =>
    await cluster.applyPolicy('revoking', 'images', { images: [anything], revoked: { digests }, ...more });

  test('as an index is refused as an image of it, and the other way round', async () => {
    const index = await pushTestIndex(registry, { repository: 'app', tag: '1' });
    const other = await pushTestIndex(registry, { repository: 'app' });
    const [first, second] = index.images.map(({ digest, reference }) => ({ digest, reference }));
    if (first === undefined || second === undefined) throw new Error('no images');
    await revoke([index.digest]);
    const all = [index, first, second, other];
    const answers = [];
    for (const { reference } of all) answers.push(await statusOf('revoking', reference));
    expect(answers).toEqual([403, 403, 403, 201]);
    expect((await ask('revoking', first.reference)).message).toContain(
      `${first.digest} is in ${index.digest}, which is revoked`,
    );
    await revoke([first.digest]);
    const reversed = [];
    for (const { reference } of all) reversed.push(await statusOf('revoking', reference));
    expect(reversed).toEqual([403, 403, 201, 201]);
    expect(await statusOf('revoking', `${registry.host}/app:1`)).toBe(403);
    const byLong = await ask('revoking', `${registry.host}/app@sha512:${'ab'.repeat(64)}`);
    expect([byLong.status, byLong.message]).toEqual([403, expect.stringMatching(/by its sha256 digest/)]);
  });

  type Condition = { readonly type: string; readonly status: string; readonly observedGeneration: number };
  type StoredPolicy = {
    readonly metadata: { readonly generation: number };
    readonly status?: { readonly conditions?: readonly (Condition & Record<'reason' | 'message', string>)[] };
  };

  /** That is about the policy as it is now. */
  async function readyCondition() {
    return await until('the condition Ready', async () => {
      const path = '/apis/security.quantum.io/v1/namespaces/revoking/quantumsecuritypolicies/images';
      const { metadata, status } = (await cluster.kube.request('GET', path)).body as StoredPolicy;
      return status?.conditions?.find(
        ({ type, observedGeneration }) => type === 'Ready' && observedGeneration === metadata.generation,
      );
    });
  }

  test('in an edit with a mistake is revoked all the same, and the author sees the mistake', async () => {
    const { reference, digest } = await pushTestImage(registry, { repository: 'late' });
    const nobody = `sha256:${'00'.repeat(32)}`;
    await revoke([nobody]);
    expect(await readyCondition()).toMatchObject({ status: 'True', reason: 'InForce' });
    expect(await statusOf('revoking', reference)).toBe(201);
    // What no schema can say: the policies of the mesh alone quarantine.
    await revoke([nobody, digest], { quarantine: ['spiffe://cluster.local/ns/a/sa/b'] });
    expect((await ask('revoking', reference)).message).toContain(`${digest} is revoked`);
    expect(await readyCondition()).toMatchObject({
      ...{ status: 'False', reason: 'RootNamespaceOnly' },
      message: expect.stringMatching(
        /quarantine.*last good version stays in force, and what is revoked here/,
      ),
    });
    const shown = await cluster.kube.kubectl(['get', 'quantumsecuritypolicy', '--namespace', 'revoking']);
    expect(shown.stdout).toMatch(/READY[\s\S]*images.*False/);
    await revoke([nobody]);
    expect(await readyCondition()).toMatchObject({ status: 'True' });
    expect(await statusOf('revoking', reference)).toBe(201);
  });
});
