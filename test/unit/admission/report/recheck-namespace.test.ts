import { beforeEach, expect, test } from 'vitest';
import type { AdmissionContext } from '../../../../src/admission/context.ts';
import type { ImageJudge } from '../../../../src/admission/images/image-judge.ts';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import {
  type NamespaceLimits,
  NamespaceRecheck,
} from '../../../../src/admission/report/recheck-namespace.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import type { Clock } from '../../../../src/sources/kubernetes/clock.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { FakeCluster, pod } from './report-store.ts';
import { askAbout, contextWith, createMetrics, decision, hastyClock, image } from './support.ts';

let cluster: FakeCluster;
let clock: Clock;
let signal: AbortSignal;
let judged: string[];
let said: string[];

beforeEach(() => {
  cluster = new FakeCluster();
  clock = hastyClock();
  const ended = new AbortController();
  onEnd(() => ended.abort());
  signal = ended.signal;
  judged = [];
  said = [];
});

interface Changes extends Partial<NamespaceLimits> {
  readonly context?: AdmissionContext;
}

/** @param judge decides by the pod */
function recheck(
  judge: (request: AdmissionRequest) => unknown,
  { context = contextWith(), ...limits }: Changes = {},
) {
  return new NamespaceRecheck({
    ...{ client: cluster, metrics: createMetrics('1'), signal, clock, random: () => 0.5 },
    mayGoOn: () => {},
    failed: (namespace, error) => said.push(`${namespace}: ${(error as Error).message}`),
    context: () => context,
    judge: async (request, now, time) => {
      judged.push(String(request.name));
      const decided = ((await judge(request)) as ReturnType<typeof decision> | undefined) ?? decision();
      await askAbout(decided, request, now, time);
      return decided;
    },
    limits: {
      ...{ imagesPerSecond: 10, parallelPods: 1, podMs: 15_000, pagePods: 2, maxPageBytes: 1_000_000 },
      ...{ namespaceMs: 25_000, rememberedImages: 100, ...limits },
    },
  });
}

/** A registry that is away: the time is up, and nothing is known. */
const hangs = async () => {
  await clock.sleep(10_000, signal);
};

test('a namespace whose registries hang has an end to its time; what is left over is said to be', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c', 'd', 'e'].map((name) => pod(name)),
  );
  const { content, pods, stoppedAt } = await recheck(hangs).run('trading');
  expect(judged).toEqual(['a', 'b', 'c']);
  expect(stoppedAt).toBe('d');
  expect(pods).toEqual({ fail: 0, error: 2, warn: 0, pass: 0, skip: 3 });
  expect(content?.summary).toMatchObject({ error: 2 });
  expect(content?.results).toEqual(
    ['d', 'e'].map((name) =>
      expect.objectContaining({
        ...{ rule: 'not-judged', result: 'error', message: expect.stringContaining('before its turn came') },
        resources: [expect.objectContaining({ name })],
      }),
    ),
  );
  expect(said).toEqual([expect.stringMatching(/^trading: 2 of its pods were not judged within 25000 ms/)]);
});

test('what was left over comes first, and then all others, each once', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c', 'd', 'e'].map((name) => pod(name)),
  );
  const first = await recheck(hangs).run('trading', 'd');
  expect(judged).toEqual(['d', 'e', 'a']);
  expect(first).toMatchObject({ stoppedAt: 'b', pods: { error: 2, skip: 3 } });
  judged = [];
  const second = await recheck(() => {}).run('trading', first.stoppedAt);
  expect(judged).toEqual(['b', 'c', 'd', 'e', 'a']);
  expect(second).toMatchObject({ stoppedAt: undefined, pods: { error: 0, skip: 5 } });
});

test('what was asked for one namespace is not paid for with the time of the next', async () => {
  cluster.namespaces.set('costly', [pod('a')]);
  cluster.namespaces.set('trading', [pod('b'), pod('c')]);
  const images = Array.from({ length: 300 }, (_, index) => image({ image: `i${index}`, decision: 'denied' }));
  const running = recheck(({ name }) => (name === 'a' ? decision([], { images }) : undefined));
  await running.run('costly');
  expect(await running.run('trading')).toMatchObject({ stoppedAt: undefined });
  // And it was paid for: 300 images at 10 a second.
  expect(clock.monotonic()).toBeCloseTo(30_000);
});

test('a namespace whose list takes all of its time has a pod judged in each round', async () => {
  cluster.namespaces.set('trading', [pod('a'), pod('b'), pod('c')]);
  cluster.before = async () => await clock.sleep(60_000, signal);
  let from: string | undefined;
  for (let round = 0; round < 3; round += 1) {
    from = (await recheck(() => {}).run('trading', from)).stoppedAt;
  }
  expect(judged).toEqual(['a', 'b', 'c']);
});

test('an image that nothing could be found out about is asked about once in a namespace and round', async () => {
  const pods = ['a', 'b', 'c'].map((name) => pod(name, { images: ['registry.example/hangs'] }));
  cluster.namespaces.set('trading', pods);
  cluster.namespaces.set('shop', pods);
  const asked: string[] = [];
  const unknown = {
    requirements: [{ outcome: 'unknown', reasons: ['the time is over'], error: undefined }],
  } as unknown as JudgedImage;
  const images: ImageJudge = {
    judge: async ({ asker }) => {
      asked.push(asker?.request ?? '');
      return unknown;
    },
    ...{ mustBeDigest: () => false, needsRegistry: () => true },
    resolve: () => Promise.reject(new Error('not asked')),
  };
  const judge = () => decision([], { images: [image({ image: 'hangs', decision: 'unknown' })] });
  const context = contextWith(images);
  const round = recheck(judge, { context });
  const result = await round.run('trading');
  expect(judged).toEqual(['a', 'b', 'c']);
  expect(asked).toEqual(['uid-of-a']);
  // One, at 10 a second.
  expect(clock.monotonic()).toBeCloseTo(100);
  expect(result).toMatchObject({ stoppedAt: undefined });
  await round.run('shop');
  await recheck(judge, { context }).run('trading');
  expect(asked).toEqual(['uid-of-a', 'uid-of-a', 'uid-of-a']);
});
