import { beforeEach, expect, test } from 'vitest';
import type { AdmissionDecision } from '../../../../src/admission/decision.ts';
import {
  type RecheckLimits,
  type RecheckOptions,
  runRecheck,
} from '../../../../src/admission/report/recheck.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { until } from '../../../support/until.ts';
import { FakeCluster, pod } from './report-store.ts';
import {
  askAbout,
  contextWith,
  createMetrics,
  decision,
  finding,
  hastyClock,
  image,
  type Metrics,
  valuesOf,
} from './support.ts';

let cluster: FakeCluster;
let metrics: Metrics;
let judged: AdmissionRequest[];
let slept: number[];
let said: string[];
let leads: boolean;
/** Ends the first rounds: what the loop does after them is another test. */
let abort: AbortController;

beforeEach(() => {
  cluster = new FakeCluster();
  metrics = createMetrics('1');
  judged = [];
  slept = [];
  said = [];
  leads = true;
  abort = new AbortController();
  onEnd(() => abort.abort());
});

const intervalMs = 3_600_000;

/** Runs so many rounds. */
async function rounds(
  count: number,
  judge: (request: AdmissionRequest, signal: AbortSignal) => AdmissionDecision | Promise<AdmissionDecision>,
  more: {
    limits?: Partial<RecheckLimits>;
    exempt?: readonly string[];
    isLeader?: () => boolean;
    random?: () => number;
  } = {},
): Promise<void> {
  let ended = 0;
  const end = (): void => {
    ended += 1;
    if (ended === count) abort.abort();
  };
  const asked: NonNullable<RecheckOptions['judge']> = async (request, context, signal) => {
    judged.push(request);
    const decided = await judge(request, signal);
    await askAbout(decided, request, context, signal);
    return decided;
  };
  await runRecheck({
    ...{ client: cluster, context: contextWith, judge: asked, metrics, intervalMs, signal: abort.signal },
    isLeader: more.isLeader ?? (() => leads),
    exemptNamespaces: new Set(more.exempt),
    report: {
      noReports: () => said.push('no reports'),
      failed: (namespace, error) => {
        const code = error instanceof KubernetesError ? error.code : String(error);
        said.push(`${namespace ?? 'round'}: ${code}`);
        if (namespace === undefined) end();
      },
      completed: (pods) => {
        said.push(`completed, ${pods.fail} failing`);
        end();
      },
    },
    clock: hastyClock(slept),
    random: more.random ?? (() => 0.5),
    limits: { parallelPods: 1, ...more.limits },
  });
}

const clean = () => decision([], { images: [image()] });
const names = () => judged.map(({ name }) => name);
const roundResults = () => valuesOf(metrics, 'trellis_admission_recheck_rounds_total');
const reportResults = () => valuesOf(metrics, 'trellis_admission_recheck_reports_total');

test('every running pod is judged as if it were made now, and nothing may be written because of it', async () => {
  cluster.namespaces.set('trading', [
    pod('a'),
    pod('b', { phase: 'Pending' }),
    pod('c', { phase: 'Succeeded' }),
    pod('d', { phase: 'Failed' }),
  ]);
  await rounds(1, clean);
  expect(names()).toEqual(['a', 'b']);
  expect(judged[0]).toMatchObject({
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    namespace: 'trading',
    dryRun: true,
    oldObject: undefined,
    object: { apiVersion: 'v1', kind: 'Pod', ...pod('a') },
  });
});

test('what a policy no longer allows shows up within one round, and is gone with its cause', async () => {
  cluster.namespaces.set('trading', [pod('a'), pod('b')]);
  let bad = new Set<unknown>();
  const judge = ({ name }: AdmissionRequest) => (bad.has(name) ? decision([finding()]) : clean());
  await rounds(1, judge);
  expect(cluster.report('trading')).toMatchObject({ summary: { fail: 0, pass: 2 } });
  bad = new Set(['b']);
  abort = new AbortController();
  await rounds(1, judge);
  expect(cluster.report('trading')).toMatchObject({ summary: { fail: 1, pass: 1 } });
  expect(await valuesOf(metrics, 'trellis_admission_recheck_pods')).toEqual({
    '{result="fail"}': 1,
    '{result="pass"}': 1,
  });
  bad = new Set();
  abort = new AbortController();
  await rounds(1, judge);
  expect(cluster.report('trading')).toMatchObject({ summary: { fail: 0, pass: 2 } });
  expect(await roundResults()).toEqual({ '{result="completed"}': 3 });
});

test('a report goes with the last pod, and with an exemption', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  cluster.namespaces.set('shop', [pod('b')]);
  await rounds(1, clean);
  expect([...cluster.reports]).toHaveLength(2);
  cluster.namespaces.set('trading', []);
  abort = new AbortController();
  judged = [];
  await rounds(1, clean, { exempt: ['shop'] });
  expect(judged).toEqual([]);
  expect([...cluster.reports]).toEqual([]);
  expect(await reportResults()).toEqual({ '{result="written"}': 2, '{result="deleted"}': 2 });
});

test('a round that finds the same writes nothing, in whatever order judging ends', async () => {
  cluster.namespaces.set('trading', [pod('a'), pod('b'), pod('c')]);
  // First the first comes last, then the last.
  const waits = [3, 2, 1, 1, 2, 3][Symbol.iterator]();
  await rounds(
    2,
    async () => {
      for (let wait = waits.next().value ?? 0; wait > 0; wait -= 1) await new Promise(setImmediate);
      return decision([finding()]);
    },
    { limits: { parallelPods: 3 } },
  );
  expect(cluster.writes()).toHaveLength(1);
  expect(await reportResults()).toEqual({ '{result="written"}': 1, '{result="unchanged"}': 1 });
});

test('pods come in pages; the next is asked for when the one before is done with', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c'].map((name) => pod(name)),
  );
  const order: string[] = [];
  cluster.before = ({ path, query }) => {
    if (path.endsWith('/pods')) order.push(`list ${query?.['limit']} ${query?.['continue']}`);
  };
  const judge = ({ name }: AdmissionRequest) => {
    order.push(`judge ${name}`);
    return clean();
  };
  await rounds(1, judge, { limits: { pagePods: 2 } });
  expect(order).toEqual(['list 2 undefined', 'judge a', 'judge b', 'list 2 2', 'judge c']);
});

test('a list that has run out is begun anew, and nobody is judged twice', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c', 'd'].map((name) => pod(name)),
  );
  let refused = false;
  cluster.before = ({ query }) => {
    if (query?.['continue'] !== '2' || refused) return;
    refused = true;
    throw new KubernetesError('ERR_KUBE_EXPIRED', 'too old');
  };
  await rounds(1, clean, { limits: { pagePods: 2 } });
  expect(names()).toEqual(['a', 'b', 'c', 'd']);
  expect(cluster.report('trading')).toMatchObject({ summary: { pass: 4 } });
});

test('a list that runs out again and again is given up', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c'].map((name) => pod(name)),
  );
  cluster.before = ({ query }) => {
    if (query?.['continue'] !== undefined) throw new KubernetesError('ERR_KUBE_EXPIRED', 'too old');
  };
  await rounds(1, clean, { limits: { pagePods: 2 } });
  expect(said).toEqual(['trading: ERR_KUBE_EXPIRED', 'completed, 0 failing']);
});

test('pods that are as large as they can be do not hide a namespace', async () => {
  cluster.namespaces.set(
    'trading',
    ['a', 'b', 'c'].map((name) => pod(name)),
  );
  cluster.before = ({ query }) => {
    if (Number(query?.['limit']) > 1 && query?.['limit'] !== '500') {
      throw new KubernetesError('ERR_KUBE_TOO_LARGE', 'too large');
    }
  };
  await rounds(1, clean);
  expect(names()).toEqual(['a', 'b', 'c']);
});

test('registries are asked at a bounded rate; what is known to be verified costs nothing', async () => {
  const pods = Array.from({ length: 40 }, (_, index) => pod(`p${index}`));
  cluster.namespaces.set('trading', pods);
  await rounds(1, ({ name }) => decision([], { images: [image({ image: String(name) })] }));
  // 10 a second, the last of which need not be waited for; then the pause until the next round.
  const total = slept.slice(1, -1).reduce((sum, ms) => sum + ms, 0);
  expect(total).toBeCloseTo(3_900);
  slept = [];
  abort = new AbortController();
  await rounds(1, clean);
  expect(slept.slice(1, -1).reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(100);
});

test('an image that cannot be verified is paid for once in each namespace', async () => {
  cluster.namespaces.set('trading', [pod('a'), pod('b'), pod('c')]);
  cluster.namespaces.set('shop', [pod('d'), pod('e')]);
  await rounds(1, () => decision([finding()], { images: [image({ decision: 'unknown' })] }));
  expect(slept.slice(1, -1).reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(200);
});

/** The registries of these take their time: five seconds a pod. */
const costly = ({ name }: AdmissionRequest) =>
  decision([], {
    images: Array.from({ length: 100 }, (_, index) =>
      image({ image: `${name}/i${index}`, decision: 'unknown' }),
    ),
  });

test('a namespace that takes too long holds up no other, and in the next round goes on where it was left', async () => {
  cluster.namespaces.set(
    'slow',
    ['a', 'b', 'c', 'd', 'e'].map((name) => pod(name)),
  );
  cluster.namespaces.set('quick', [pod('x')]);
  const judge = (request: AdmissionRequest) => (request.name === 'x' ? clean() : costly(request));
  await rounds(3, judge, { random: () => 0, limits: { namespaceMs: 9_000 } });
  expect(names().join('')).toBe('abx' + 'cdx' + 'eax');
  expect(said.filter((each) => each.startsWith('slow'))).toHaveLength(3);
  expect(cluster.report('slow')).toMatchObject({ summary: { error: 3 } });
});

test('where a namespace was left is forgotten with it, and once it has come to its end', async () => {
  const pods = ['a', 'b', 'c', 'd'].map((name) => pod(name));
  cluster.namespaces.set('slow', pods);
  let round = 0;
  cluster.before = ({ path }) => {
    if (path !== '/api/v1/namespaces') return;
    round += 1;
    if (round === 2) cluster.namespaces.delete('slow');
    if (round === 3) cluster.namespaces.set('slow', pods);
  };
  const judge = (request: AdmissionRequest) => (round < 4 ? costly(request) : clean());
  await rounds(5, judge, { random: () => 0, limits: { namespaceMs: 9_000 } });
  expect(names().join('')).toBe('ab' + '' + 'ab' + 'cdab' + 'abcd');
});

test('a pod that cannot be judged is an error in the report, said once a namespace', async () => {
  cluster.namespaces.set('trading', [pod('a'), pod('b'), pod('c')]);
  await rounds(1, ({ name }) => {
    if (name === 'c') return clean();
    throw new Error('a defect');
  });
  expect(said).toEqual(['trading: Error: a defect', 'completed, 0 failing']);
  expect(cluster.report('trading')).toMatchObject({ summary: { error: 2, pass: 1 } });
  expect(JSON.stringify(cluster.report('trading'))).not.toContain('a defect');
});

test('who does not lead judges nothing and writes nothing, until it does', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  let looks = 0;
  const isLeader = () => {
    looks += 1;
    if (looks <= 3) expect(cluster.requests).toEqual([]);
    return looks > 3;
  };
  await rounds(1, clean, { isLeader });
  expect(cluster.report('trading')).toBeDefined();
});

test('a leader that is succeeded in the middle of a namespace writes nothing', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  cluster.namespaces.set('shop', [pod('b')]);
  const done = rounds(1, () => {
    leads = false;
    return decision([finding()]);
  });
  await until('the end of the round', async () => (await roundResults())['{result="abandoned"}'] === 1);
  abort.abort();
  await done;
  expect(names()).toHaveLength(1);
  expect(cluster.writes()).toEqual([]);
  expect(said).toEqual([]);
});

test('ends with its signal, the judging included', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  await rounds(1, (_request, signal) => {
    abort.abort(new Error('the end'));
    signal.throwIfAborted();
    return clean();
  });
  expect(cluster.writes()).toEqual([]);
  expect(said).toEqual([]);
});

test('a pod has an end to its time', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  await rounds(
    1,
    (_request, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    { limits: { podMs: 1 } },
  );
  expect(cluster.report('trading')).toMatchObject({ summary: { error: 1 } });
});

test('one namespace that fails does not keep the others from being judged', async () => {
  for (const name of ['a', 'b', 'c', 'd']) cluster.namespaces.set(name, [pod(name)]);
  cluster.before = ({ path }) => {
    if (path.includes('/b/')) throw new KubernetesError('ERR_KUBE_FORBIDDEN', 'no');
  };
  await rounds(1, clean);
  expect(names().toSorted()).toEqual(['a', 'c', 'd']);
  expect(said).toEqual(['b: ERR_KUBE_FORBIDDEN', 'completed, 0 failing']);
  expect(await reportResults()).toEqual({ '{result="written"}': 3, '{result="failed"}': 1 });
});

test('however many tenants make their namespaces fail, the others are judged', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) cluster.namespaces.set(name, [pod(name)]);
  const failures = [
    new KubernetesError('ERR_KUBE_FORBIDDEN', 'exceeded quota'),
    new KubernetesError('ERR_KUBE_REFUSED', 'refused by a webhook'),
    new KubernetesError('ERR_KUBE_CONFLICT', 'somebody else has just written'),
    new KubernetesError('ERR_KUBE_TOO_LARGE', 'too large'),
    new Error('a defect'),
  ];
  cluster.before = ({ path }) => {
    const index = 'bcdef'.indexOf(/^\/api\/v1\/namespaces\/([b-f])\//.exec(path)?.[1] ?? 'none');
    if (index >= 0) throw failures[index];
  };
  await rounds(1, clean);
  expect(names().toSorted()).toEqual(['a', 'g']);
  expect(said.at(-1)).toBe('completed, 0 failing');
});

test('a round in which no namespace could be judged is none', async () => {
  for (const name of ['a', 'b', 'c', 'exempt']) cluster.namespaces.set(name, [pod(name)]);
  cluster.before = ({ path }) => {
    if (path.endsWith('/pods')) throw new KubernetesError('ERR_KUBE_FORBIDDEN', 'no right to list pods');
  };
  await rounds(1, clean, { exempt: ['exempt'] });
  expect(said.at(-1)).toBe('round: ERR_KUBE_FORBIDDEN');
  expect(await roundResults()).toEqual({ '{result="failed"}': 1 });
});

test.each([
  'ERR_KUBE_UNREACHABLE',
  'ERR_KUBE_TIMEOUT',
  'ERR_KUBE_OVERLOADED',
  'ERR_KUBE_UNAUTHORIZED',
  'ERR_KUBE_CREDENTIALS',
] as const)(
  'while the API server is away (%s) a round is given up, and the next comes sooner',
  async (code) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) cluster.namespaces.set(name, [pod(name)]);
    cluster.before = ({ path }) => {
      if (path.endsWith('/pods')) throw new KubernetesError(code, 'away');
    };
    await rounds(1, clean);
    expect(said).toEqual([`c: ${code}`, `d: ${code}`, `e: ${code}`, `round: ${code}`]);
    expect(await roundResults()).toEqual({ '{result="failed"}': 1 });
    expect(slept.at(-1)).toBe(60_000);
  },
);

test('an answer about one namespace is one of an API server that is there', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) cluster.namespaces.set(name, [pod(name)]);
  cluster.before = ({ path }) => {
    if (!path.endsWith('/pods') || path.includes('/e/')) return;
    throw new KubernetesError(path.includes('/c/') ? 'ERR_KUBE_FORBIDDEN' : 'ERR_KUBE_TIMEOUT', 'no');
  };
  await rounds(1, clean, { random: () => 0 });
  expect(names()).toEqual(['e']);
  expect(said.at(-1)).toBe('completed, 0 failing');
});

test('those after whom a round was given up come first in the next', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) cluster.namespaces.set(name, [pod(name)]);
  // However they did it.
  cluster.before = ({ path }) => {
    if (/\/[bcd]\//.test(path)) throw new KubernetesError('ERR_KUBE_TIMEOUT', 'slow');
  };
  await rounds(2, clean, { random: () => 0 });
  expect(names()).toEqual(['a', 'e', 'f', 'a']);
});

test.each([
  [0, 'abcd'],
  [0.3, 'bcda'],
  [0.99, 'dabc'],
])('a round may begin at any place: %d', async (place, order) => {
  for (const name of 'abcd') cluster.namespaces.set(name, [pod(name)]);
  await rounds(1, clean, { random: () => place });
  expect(names().join('')).toBe(order);
});

test('between rounds is the interval, give or take a tenth; a new leader begins some time within a minute', async () => {
  cluster.namespaces.set('trading', []);
  await rounds(2, clean);
  expect(slept).toEqual([30_000, intervalMs, intervalMs]);
});

test('that there is no kind for reports is said once; pods are judged all the same', async () => {
  cluster.groups.clear();
  cluster.namespaces.set('trading', [pod('a')]);
  await rounds(2, () => decision([finding()]));
  expect(said).toEqual(['no reports', 'completed, 1 failing', 'completed, 1 failing']);
  expect(await valuesOf(metrics, 'trellis_admission_recheck_pods')).toEqual({ '{result="fail"}': 1 });
});

test('namespaces that are being deleted are left alone', async () => {
  cluster.namespaces.set('trading', [pod('a')]);
  const { handle } = cluster;
  cluster.handle = async (request) => {
    const answer = (await handle(request)) as { readonly items: readonly { metadata: object }[] };
    if (request.path !== '/api/v1/namespaces') return answer;
    const items = answer.items.map(({ metadata }) => ({
      metadata: { ...metadata, deletionTimestamp: 'now' },
    }));
    return { ...answer, items };
  };
  await rounds(1, clean);
  expect(judged).toEqual([]);
  expect(await reportResults()).toEqual({});
});

test.each([
  ['of another kind', { kind: 'Status', items: [] }],
  ['without items', { kind: 'NamespaceList' }],
  ['of pages without end', { kind: 'NamespaceList', metadata: { continue: 'x' }, items: [] }],
])('an answer %s is not taken for an empty cluster', async (_what, answer) => {
  cluster.before = () => {};
  cluster.handle = ({ path }) => (path === '/api/v1/namespaces' ? answer : { resources: [] });
  await rounds(1, clean);
  expect(said.at(-1)).toBe('round: ERR_KUBE_PROTOCOL');
});
