// Where an image can hide, on a real API server: in every place of a pod, in everything that makes pods, in every way to change
// one, and behind what a pod says of itself.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  app,
  apply,
  imagesOf,
  jsonMerge,
  messageOf,
  podManifest,
  podPath,
  podSpec,
  storedPod,
  strategicMerge,
  workloadKinds,
} from '../support/admission/pods.ts';
import { makeSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import type { KubeAnswer } from '../support/kube.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry } from '../support/registry.ts';

const namespace = 'trading';

let cluster: AdmissionCluster;
/** Signed, by their digests, and by the tag of the first. */
let [good, better, goodTag] = ['', '', ''];
/** Not signed. */
let [bad, badTag] = ['', ''];

beforeAll(async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({ plainHttp: [registry.host] });
  const ci = await makeSigner();
  good = (await pushTestImage(registry, { repository: 'good', tag: '1' })).reference;
  better = (await pushTestImage(registry, { repository: 'better' })).reference;
  bad = (await pushTestImage(registry, { repository: 'bad', tag: '1' })).reference;
  [goodTag, badTag] = [`${registry.host}/good:1`, `${registry.host}/bad:1`];
  await ci.sign(good);
  await ci.sign(better);
  await cluster.createNamespace(namespace);
  const images = [{ match: [`${registry.host}/**`], authorities: [ci.authority()] }];
  await cluster.applyPolicy(namespace, 'images', { images });
});

const pinned = () => `${goodTag}${good.slice(good.indexOf('@'))}`;

async function patchPod(name: string, patch: object, subresource = ''): Promise<KubeAnswer> {
  return await cluster.kube.request(
    'PATCH',
    `${podPath(namespace, name)}${subresource}`,
    patch,
    strategicMerge,
  );
}

async function running(name: string, spec: object = podSpec(good), metadata: object = {}): Promise<void> {
  expect(await cluster.createPod(namespace, name, spec, metadata)).toMatchObject({ status: 201 });
}

/** Refused, because of the image that is not signed. */
function expectRefused(answer: KubeAnswer): void {
  expect(answer).toMatchObject({ status: 403 });
  expect(messageOf(answer)).toContain('validate.trellis.quantum.io');
  expect(messageOf(answer)).toContain(bad.slice(bad.indexOf('@')));
}

describe('a new pod', () => {
  const places: readonly (readonly [string, (image: string) => object])[] = [
    ['a container', (image) => podSpec(image)],
    ['one container of several', (image) => ({ containers: [app(good), { name: 'other', image }] })],
    ['an init container', (image) => podSpec(good, { initContainers: [{ name: 'first', image }] })],
    [
      'a sidecar',
      (image) => podSpec(good, { initContainers: [{ name: 'first', image, restartPolicy: 'Always' }] }),
    ],
    [
      'a volume',
      (image) =>
        podSpec(good, { volumes: [{ name: 'data', image: { reference: image, pullPolicy: 'Never' } }] }),
    ],
  ];

  test.each(places)('with it in %s', async (place, spec) => {
    const name = place.replaceAll(' ', '-');
    expectRefused(await cluster.createPod(namespace, name, spec(bad)));
    expectRefused(await cluster.createPod(namespace, name, spec(badTag)));
    await running(name, spec(goodTag));
    const stored = JSON.stringify((await storedPod(cluster.kube, namespace, name))?.spec);
    expect(stored).toContain(JSON.stringify(pinned()));
    expect(stored).not.toContain(JSON.stringify(goodTag));
  });

  test('however it is sent', async () => {
    const manifest = podManifest(namespace, 'sent', podSpec(bad));
    for (const args of [['--server-side'], ['--validate=false'], ['--force']]) {
      expect((await apply(cluster.kube, manifest, ...args)).stderr).toContain('not satisfy');
    }
    const generated = { metadata: { generateName: 'sent-' }, spec: podSpec(bad) };
    expectRefused(await cluster.kube.request('POST', `/api/v1/namespaces/${namespace}/pods`, generated));
    const applying = { contentType: 'application/apply-patch+yaml' };
    const path = `${podPath(namespace, 'sent')}?fieldManager=me&force=true`;
    expectRefused(await cluster.kube.request('PATCH', path, manifest, applying));
  });

  test('that calls itself a static one', async () => {
    const annotations = {
      'kubernetes.io/config.mirror': 'a'.repeat(32),
      'kubernetes.io/config.hash': 'a'.repeat(32),
      'kubernetes.io/config.source': 'file',
    };
    const spec = (image: string) => podSpec(image, { nodeName: 'node', automountServiceAccountToken: false });
    expectRefused(await cluster.createPod(namespace, 'static', spec(bad), { annotations }));
    // Nothing is changed in what the kubelet says that it runs; so it has to run digests.
    const byTag = await cluster.createPod(namespace, 'static', spec(goodTag), { annotations });
    expect(messageOf(byTag)).toContain('named by a tag');
  });

  test('that brings what others write down about pods they have judged', async () => {
    const annotations = {
      'validate.trellis.quantum.io/decision': 'allowed',
      'validate.trellis.quantum.io/images': `spec.containers[0].image verified ${bad.slice(bad.indexOf('@') + 1)}`,
      'trellis.quantum.io/exempt': 'true',
      'trellis.quantum.io/verified': 'true',
      'mutate.trellis.quantum.io/done': 'true',
      'sidecar.trellis.quantum.io/inject': 'false',
      'kyverno.io/verify-images': `{"${bad}":"pass"}`,
      'admission.trellis.quantum.io/skip': 'true',
    };
    const labels = { 'admission.trellis.quantum.io/ignore': 'true', 'trellis.quantum.io/exempt': 'true' };
    expectRefused(await cluster.createPod(namespace, 'forged', podSpec(bad), { annotations, labels }));
    const byTag = await cluster.createPod(namespace, 'forged', podSpec(goodTag), { annotations, labels });
    expect(byTag).toMatchObject({ status: 201 });
    expect(await imagesOf(cluster.kube, namespace, 'forged')).toEqual([pinned()]);
  });

  test.each([' ', `${'a'.repeat(300)}/x`, 'registry.example/UPPER', 'http://registry.example/a'])(
    'with a text that names no image: %j',
    async (image) => {
      const answer = await cluster.createPod(namespace, 'strange', podSpec(image));
      expect([403, 422]).toContain(answer.status);
      expect(await storedPod(cluster.kube, namespace, 'strange')).toBeUndefined();
    },
  );
});

describe('a pod that runs', () => {
  test('gets another image', async () => {
    await running('updated', podSpec(good, { initContainers: [{ name: 'first', image: good }] }));
    const set = async (container: string, image: string) =>
      await cluster.kube.kubectl(['set', 'image', '-n', namespace, 'pod/updated', `${container}=${image}`]);
    for (const container of ['app', 'first']) {
      const refused = await set(container, bad);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('not satisfy');
      expect(await set(container, better)).toMatchObject({ status: 0 });
    }
    const stored = await storedPod(cluster.kube, namespace, 'updated');
    expect(stored?.spec).toMatchObject({
      containers: [{ image: better }],
      initContainers: [{ image: better }],
    });
    const byTag = await set('app', goodTag);
    expect(byTag).toMatchObject({ status: 0 });
    expect(await imagesOf(cluster.kube, namespace, 'updated')).toEqual([pinned()]);
  });

  test('gets a container to look into it', async () => {
    await running('debugged');
    const debug = async (name: string, image: string) =>
      await cluster.kube.kubectl([
        ...['debug', '-n', namespace, 'pod/debugged', '--attach=false', '--profile=general'],
        ...['--container', name, '--image', image],
      ]);
    for (const image of [bad, badTag]) {
      const refused = await debug('bad', image);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('not satisfy');
    }
    expect(await debug('good', goodTag)).toMatchObject({ status: 0 });
    const stored = await storedPod(cluster.kube, namespace, 'debugged');
    expect(stored?.spec.ephemeralContainers).toMatchObject([{ image: pinned() }]);
  });

  test('gets one by a copy of it', async () => {
    await running('copied');
    const copy = await cluster.kube.kubectl([
      ...['debug', '-n', namespace, 'pod/copied', '--attach=false', '--profile=general'],
      ...['--copy-to=copy', `--set-image=app=${bad}`, '--container=app'],
    ]);
    expect(copy.status).not.toBe(0);
    expect(copy.stderr).toContain('not satisfy');
    expect(await storedPod(cluster.kube, namespace, 'copy')).toBeUndefined();
  });

  test.each(['/status', '/resize'])('gets no image through %s, which nobody judges', async (subresource) => {
    const name = `through-${subresource.slice(1)}`;
    await running(name);
    await patchPod(name, { spec: podSpec(bad) }, subresource);
    const debug = { ephemeralContainers: [{ name: 'debug', image: bad }] };
    await patchPod(name, { spec: debug }, subresource);
    const stored = await storedPod(cluster.kube, namespace, name);
    expect(stored?.spec.containers).toMatchObject([{ image: good }]);
    expect(stored?.spec.ephemeralContainers).toBeUndefined();
  });

  test('is about to end, and is not let end', async () => {
    await running('ending', podSpec(good), { finalizers: ['test.example/wait'] });
    await cluster.kube.request('DELETE', podPath(namespace, 'ending'), { gracePeriodSeconds: 0 });
    expect((await storedPod(cluster.kube, namespace, 'ending'))?.metadata.deletionTimestamp).toBeDefined();
    const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: bad }] } };
    expectRefused(await patchPod('ending', { spec: { containers: [app(bad)] } }));
    expectRefused(await patchPod('ending', debug, '/ephemeralcontainers'));
    expect(await patchPod('ending', { spec: { containers: [app(better)] } })).toMatchObject({ status: 200 });
    // What is let go goes, whatever it runs.
    const release = { metadata: { finalizers: null } };
    const path = podPath(namespace, 'ending');
    expect(await cluster.kube.request('PATCH', path, release, jsonMerge)).toMatchObject({ status: 200 });
    expect(await storedPod(cluster.kube, namespace, 'ending')).toBeUndefined();
  });
});

describe.each(workloadKinds)('the template of a %s', (kind, apiVersion, plural, around) => {
  const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const manifest = (name: string, spec: object) => ({
    ...{ apiVersion, kind, metadata: { namespace, name }, spec: around(spec) },
  });

  test('that is new, and that is changed', async () => {
    const name = plural.slice(0, -1);
    for (const spec of [podSpec(bad), podSpec(good, { initContainers: [{ name: 'first', image: bad }] })]) {
      const refused = await apply(cluster.kube, manifest(name, spec));
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('not satisfy');
    }
    expect(await apply(cluster.kube, manifest(name, podSpec(good)))).toMatchObject({ status: 0, stderr: '' });
    const path = `${group}/namespaces/${namespace}/${plural}/${name}`;
    // The template of a Job never changes.
    if (kind !== 'Job') {
      const { spec } = manifest(name, podSpec(bad));
      expectRefused(await cluster.kube.request('PATCH', path, { spec }, jsonMerge));
    }
    const labelled = { metadata: { labels: { seen: 'yes' } } };
    expect(await cluster.kube.request('PATCH', path, labelled, jsonMerge)).toMatchObject({ status: 200 });
  });

  test('that names a tag: it is warned of', async () => {
    const applied = await apply(cluster.kube, manifest(`${plural.slice(0, -1)}-tag`, podSpec(goodTag)));
    expect(applied).toMatchObject({ status: 0 });
    expect(applied.stderr).toContain('Warning: ');
    expect(applied.stderr).toContain(`better write ${pinned()}`);
  });
});
