// The source as a whole: when there is a state, what is said, and that nothing ends it but its signal.

import { expect, test } from 'vitest';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { resourceTypes } from '../../../../src/sources/kubernetes/reflect/resource-type.ts';
import {
  type KubernetesSource,
  type WatchKubernetesOptions,
  watchKubernetes,
} from '../../../../src/sources/kubernetes/source.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { WatchedKube } from '../../../support/fake-kube.ts';
import { until } from '../../../support/until.ts';
import { meshOptions } from '../../model/support.ts';
import { event, object } from './support.ts';

const typeOf = (isIt: (type: (typeof resourceTypes)[number]) => boolean) => resourceTypes.find(isIt);

/** All that a source reads; nothing is there yet. */
class Cluster extends WatchedKube {
  /** By kind; a missing one is refused. */
  readonly lists = new Map<string, readonly object[]>(resourceTypes.map(({ kind }) => [kind, []]));

  override handle = ({ path }: KubeRequest): object => {
    const kind = typeOf((type) => type.path === path)?.kind ?? '';
    const items = this.lists.get(kind);
    if (items === undefined) throw new KubernetesError('ERR_KUBE_FORBIDDEN', 'no');
    return { kind: `${kind}List`, metadata: { resourceVersion: '1' }, items };
  };

  /** To whoever watches. */
  say(kind: string, line: string): void {
    this.watches.get(typeOf((type) => type.kind === kind)?.path ?? '')?.(line);
  }
}

const quick = { debounceMs: 1, firstRetryMs: 1, maxRetryMs: 2, shortWatchMs: 1 };

async function start(
  client: Cluster,
  more: Pick<WatchKubernetesOptions, 'kinds'> = {},
): Promise<{ source: KubernetesSource; said: string[] }> {
  const controller = new AbortController();
  onEnd(() => controller.abort());
  const said: string[] = [];
  const source = await watchKubernetes({
    ...{ client, mesh: meshOptions, signal: controller.signal, limits: quick, ...more },
    report: {
      failed: ({ kind }, { code }) => said.push(`${kind} ${code}`),
      recovered: ({ kind }) => said.push(`${kind} recovered`),
      problem: ({ severity, code }) => said.push(`${severity} ${code}`),
      mended: () => said.push('mended'),
    },
  });
  return { source, said };
}

const account = (name: string, version: string) => object(name, version);
const running = { spec: { containers: [] }, status: { phase: 'Running' } };

test('the first state is one of everything', async () => {
  const client = new Cluster();
  client.lists.set('Pod', [object('p', '1', running)]);
  const { source } = await start(client);
  expect([...(source.current()?.workloads.keys() ?? [])]).toEqual(['a/p']);
  expect(source.health().ready).toBe(true);
  expect(
    source
      .health()
      .resources.map(({ kind }) => kind)
      .sort(),
  ).toEqual(resourceTypes.map(({ kind }) => kind).sort());
});

test.each(resourceTypes.map(({ kind }) => kind))('without a list of %s there is none', async (kind) => {
  const client = new Cluster();
  client.lists.delete(kind);
  const { source, said } = await start(client);
  const others = () => source.health().resources.filter((resource) => resource.kind !== kind);
  await until('the others', () => others().every(({ syncedSince }) => syncedSince !== undefined));
  // Longer than any delay of ours.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(source.current()).toBeUndefined();
  expect(source.health().ready).toBe(false);
  expect(said).toEqual([`${kind} ERR_KUBE_FORBIDDEN`]);
  client.lists.set(kind, []);
  await until('the state', () => source.current());
  await until('recovery', () => said.includes(`${kind} recovered`));
});

test('of the kinds that are named, and nothing else is asked for', async () => {
  const client = new Cluster();
  for (const { kind } of resourceTypes) if (kind !== 'QuantumSecurityPolicy') client.lists.delete(kind);
  const policy = { spec: { postQuantumEncryption: 'required' } };
  client.lists.set('QuantumSecurityPolicy', [object('p', '1', policy)]);
  const { source, said } = await start(client, { kinds: ['QuantumSecurityPolicy'] });
  expect([...(source.current()?.policies.keys() ?? [])]).toEqual(['a/p']);
  expect(source.health()).toMatchObject({ ready: true, resources: [{ kind: 'QuantumSecurityPolicy' }] });
  expect(said).toEqual([]);
});

test('changes reach listeners, many as one; what changes nothing does not', async () => {
  const client = new Cluster();
  const { source } = await start(client);
  const sizes: number[] = [];
  const end = source.onChange((state) => sizes.push(state.workloads.size));
  const added = Array.from({ length: 100 }, (_, index) => event('ADDED', object(`p-${index}`, '2', running)));
  client.say('Pod', added.join(''));
  await until('all', () => source.current()?.workloads.size === 100);
  expect(sizes).toEqual([100]);
  const before = source.current();
  client.say('ServiceAccount', event('ADDED', account('x', '3')));
  await until('the event', () =>
    source.health().resources.some(({ kind, events }) => kind === 'ServiceAccount' && events === 1),
  );
  client.say('Pod', event('DELETED', object('p-0', '4')));
  await until('the deletion', () => source.current()?.workloads.size === 99);
  expect(sizes).toEqual([100, 99]);
  expect(source.current()).not.toBe(before);
  end();
  client.say('Pod', event('DELETED', object('p-1', '5')));
  await until('the deletion', () => source.current()?.workloads.size === 98);
  expect(sizes).toHaveLength(2);
});

test('what is wrong with an object is said once, and once when it is mended', async () => {
  const client = new Cluster();
  client.lists.set('Pod', [object('p', '1', { spec: 7 })]);
  const { source, said } = await start(client);
  expect(said).toEqual(['error InvalidField']);
  client.say('Pod', event('ADDED', object('q', '2', running)));
  await until('the other', () => source.current()?.workloads.size === 1);
  expect(source.problems()).toHaveLength(1);
  client.say('Pod', event('MODIFIED', object('p', '3', running)));
  await until('both', () => source.current()?.workloads.size === 2);
  expect(said).toEqual(['error InvalidField', 'mended']);
});

test('a thousand mistakes are not a thousand lines', async () => {
  const client = new Cluster();
  const many = Array.from({ length: 1_000 }, (_, index) => object(`p-${index}`, '1', { spec: 7 }));
  client.lists.set('Pod', many);
  const { source, said } = await start(client);
  expect(said).toHaveLength(101);
  expect(said.at(-1)).toBe('warning LimitExceeded');
  expect(source.problems()).toHaveLength(1_000);
});

test('a listener that throws ends nothing', async () => {
  const client = new Cluster();
  const { source, said } = await start(client);
  const end = source.onChange(() => {
    throw new Error('oh');
  });
  client.say('Pod', event('ADDED', object('p', '2', running)));
  await until('the complaint', () => said.includes('error InvalidObject'));
  end();
  client.say('Pod', event('ADDED', object('q', '3', running)));
  await until('the next state', () => source.current()?.workloads.size === 2);
  expect(said).toEqual(['error InvalidObject', 'mended']);
});

test('a signal that was aborted before', async () => {
  const source = await watchKubernetes({
    ...{ client: new Cluster(), mesh: meshOptions, signal: AbortSignal.abort(), limits: quick },
    report: { failed: () => {}, recovered: () => {}, problem: () => {}, mended: () => {} },
  });
  expect(source.current()).toBeUndefined();
});
