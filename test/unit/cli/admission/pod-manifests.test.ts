import { describe, expect, test } from 'vitest';
import { readOnePodManifest, readPodManifests } from '../../../../src/cli/admission/pod-manifests.ts';
import { deploymentObject, podObject, publicImage, workspace } from './support.ts';

const template = { spec: { containers: [{ name: 'app', image: publicImage }] } };
const files = await workspace();

async function read(...contents: readonly (object | string)[]) {
  return await readPodManifests([await files.write('manifests.yaml', ...contents)], 'elsewhere');
}

describe('what makes pods', () => {
  test.each([
    ['v1', 'Pod', { spec: template.spec }],
    ['v1', 'ReplicationController', { spec: { template } }],
    ['apps/v1', 'Deployment', { spec: { template } }],
    ['apps/v1', 'ReplicaSet', { spec: { template } }],
    ['apps/v1', 'StatefulSet', { spec: { template } }],
    ['apps/v1', 'DaemonSet', { spec: { template } }],
    ['batch/v1', 'Job', { spec: { template } }],
    ['batch/v1', 'CronJob', { spec: { jobTemplate: { spec: { template } } } }],
  ])('%s %s is judged as the API server would ask', async (apiVersion, kind, rest) => {
    const object = { apiVersion, kind, metadata: { name: 'a', namespace: 'trading' }, ...rest };
    const { judged, passedOver } = await read(object);
    const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
    expect(passedOver.size).toBe(0);
    expect(judged).toEqual([
      {
        name: `${kind} trading/a in ${files.path('manifests.yaml')}:1`,
        file: files.path('manifests.yaml'),
        line: 1,
        request: {
          uid: 'offline',
          operation: 'CREATE',
          kind: { group, version, kind },
          subResource: undefined,
          namespace: 'trading',
          name: 'a',
          object,
          oldObject: undefined,
          dryRun: true,
        },
      },
    ]);
  });

  test('other kinds of Kubernetes are passed over, those of others named, and all are counted', async () => {
    const of = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: 'a' } });
    const service = of('v1', 'Service');
    const role = of('rbac.authorization.k8s.io/v1', 'Role');
    const foreign = of('batch.volcano.sh/v1alpha1', 'Job');
    const { judged, passedOver, notKnown } = await read(
      service,
      role,
      service,
      foreign,
      podObject(publicImage),
    );
    expect(judged).toHaveLength(1);
    expect([...passedOver]).toEqual([
      ['Service', 2],
      ['Role', 1],
    ]);
    expect([...notKnown]).toEqual([['Job (batch.volcano.sh)', 1]]);
  });

  test('items of a List are objects, each with its line', async () => {
    const { judged } = await read(
      ['apiVersion: v1', 'kind: List', 'items:', `- ${JSON.stringify(podObject(publicImage))}`].join('\n'),
      deploymentObject(publicImage),
    );
    expect(judged.map(({ request, line }) => [request.kind.kind, line])).toEqual([
      ['Pod', 4],
      ['Deployment', 6],
    ]);
  });
});

describe('names and namespaces', () => {
  test.each([
    ['none', {}, 'elsewhere'],
    ['an empty one, as templates write it', { namespace: '' }, 'elsewhere'],
    ['null', { namespace: null }, 'elsewhere'],
    ['its own', { namespace: 'trading' }, 'trading'],
  ])('%s', async (_, metadata, namespace) => {
    const { judged } = await read({ ...podObject(publicImage), metadata: { name: 'a', ...metadata } });
    expect(judged[0]?.request.namespace).toBe(namespace);
  });

  test('a generated name, and none', async () => {
    const of = (metadata: object) => ({ ...podObject(publicImage), metadata });
    const { judged } = await read(of({ generateName: 'a-' }), of({}));
    expect(judged.map(({ request }) => request.name)).toEqual(['a-', undefined]);
    expect(judged[1]?.name).toMatch(/^Pod of elsewhere, without a name, in .*manifests\.yaml:\d+$/);
  });
});

describe('what cannot be judged is an error that says where it is', () => {
  test.each([
    ['no kind', { apiVersion: 'v1' }, /manifests\.yaml:1: a manifest names its apiVersion and kind/],
    ['no object', '- a', /a manifest names its apiVersion and kind/],
    ['no namespace', { ...podObject(''), metadata: { namespace: 'A B' } }, /:1: "A B" is no namespace/],
    [
      'no spec',
      { ...podObject(''), spec: undefined },
      /^Pod trading\/app in .*:1: this is no pod.*spec: missing/,
    ],
    [
      'no template',
      { ...deploymentObject(''), spec: {} },
      /^Deployment trading\/app in .*spec\.template: there is no/,
    ],
  ])('%s', async (_, content, message) => {
    await expect(read(content)).rejects.toMatchObject({
      name: 'CliError',
      code: 'ERR_USAGE',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['extensions/v1beta1', 'Deployment', 'apps/v1'],
    ['apps/v1beta2', 'StatefulSet', 'apps/v1'],
    ['batch/v1beta1', 'CronJob', 'batch/v1'],
    ['v2', 'Pod', 'v1'],
    ['apps/v1', 'Pod', 'v1'],
    ['networking.k8s.io/v1', 'Deployment', 'apps/v1'],
  ])('%s %s, which would look like a yes if it were passed over', async (apiVersion, kind, version) => {
    await expect(read({ apiVersion, kind, metadata: { name: 'a' } })).rejects.toMatchObject({
      code: 'ERR_USAGE',
      hint: `write apiVersion: ${version}`,
    });
  });
});

describe('what no API server would take is no answer either', () => {
  test.each([
    ['apps/v1', 'Deploymnt', /there is no kind "Deploymnt" in its apiVersion/, 'did you mean Deployment?'],
    ['v1', 'pod', /there is no kind "pod"/, 'did you mean Pod?'],
    ['v1', 'PodList', /there is no kind "PodList"/, expect.stringMatching(/^there are /)],
    ['v1', 'Workload', /there is no kind "Workload"/, expect.stringMatching(/^there are Binding, .*, Pod, /)],
    ['app/v1', 'Deployment', /there is no group "app" of APIs/, 'did you mean apiVersion: apps/…?'],
    ['constructor/v1', 'Thing', /there is no group "constructor" of APIs/, 'see its apiVersion'],
  ])('a kind that there is not: %s %s', async (apiVersion, kind, message, hint) => {
    const misspelt = { apiVersion, kind, metadata: { name: 'a' }, spec: { template } };
    await expect(read(misspelt, podObject(publicImage))).rejects.toMatchObject({
      ...{ code: 'ERR_USAGE', hint },
      message: expect.stringMatching(message),
    });
  });

  const { containers } = template.spec;
  test.each([
    ['without containers', {}, /spec\.containers is empty or missing/, /no API server takes a pod without/],
    ['with an empty list', { containers: [] }, /spec\.containers is empty/, /without containers/],
    ['with none', { containers: null }, /spec\.containers is empty/, /without containers/],
    [
      'with container',
      { container: containers },
      /spec has no field "container"/,
      /did you mean containers\?/,
    ],
    [
      'with an init container that is none',
      { containers, initContainer: containers },
      /spec has no field "initContainer"/,
      /did you mean initContainers\?/,
    ],
    ['with a volume that is none', { containers, volume: [] }, /no field "volume"/, /did you mean volumes\?/],
  ])('a pod %s', async (_, spec, message, hint) => {
    const pod = { ...podObject(publicImage), spec };
    const deployment = { ...(deploymentObject(publicImage) as object), spec: { template: { spec } } };
    for (const object of [pod, deployment]) {
      await expect(read(object)).rejects.toMatchObject({
        ...{ code: 'ERR_USAGE', hint: expect.stringMatching(hint) },
        message: expect.stringMatching(message),
      });
    }
    await expect(read(deployment)).rejects.toThrow(/^Deployment .*: spec\.template\.spec/);
  });

  test('every other field of a pod may be there', async () => {
    const spec = { containers, volumes: [], hostAliases: [], nodeName: 'a', overhead: {}, tolerations: [] };
    const { judged } = await read({ ...podObject(publicImage), spec });
    expect(judged).toHaveLength(1);
  });
});

describe('the only one of a file', () => {
  test('may stand beside what makes no pods', async () => {
    const service = { apiVersion: 'v1', kind: 'Service' };
    const path = await files.write('one.yaml', service, podObject(publicImage));
    expect((await readOnePodManifest(path, 'elsewhere')).request.kind.kind).toBe('Pod');
  });

  test.each([
    [0, '# nothing'],
    [2, `${JSON.stringify(podObject(publicImage))}\n---\n${JSON.stringify(podObject(publicImage))}`],
  ])('%i of them are refused', async (count, content) => {
    const path = await files.write('one.yaml', content);
    await expect(readOnePodManifest(path, 'elsewhere')).rejects.toThrow(`one.yaml holds ${count} objects`);
  });
});
