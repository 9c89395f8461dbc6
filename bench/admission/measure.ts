// The work that is measured, in the order in which one process of ours has to do it.

import { alternate } from '../measure/alternate.ts';
import type { Bench } from '../measure/bench.ts';
import { cpuMs, rssMb } from '../measure/program.ts';
import type { Cluster, Contestant, Namespace } from './cluster.ts';
import type { SignedImages } from './images.ts';
import { type Pods, podsFor, timePods } from './pods.ts';
import { Poster } from './poster.ts';
import { type ReviewOf, repeated, withImages } from './reviews.ts';

export interface Measured {
  readonly rounds: readonly Round[];
  readonly memory: readonly Memory[];
}

export interface Round {
  /** Milliseconds to make a pod. */
  readonly latencies: Readonly<Record<Namespace, readonly number[]>>;
  /** CPU of a pod with images that are known, in ms. */
  readonly known: { readonly ours: number; readonly noOp: number };
  readonly unseen: {
    /** CPU of a pod with an image that was never seen, in ms. */
    readonly cpuMs: number;
    /** For each image. */
    readonly requests: number;
  };
}

export interface Memory {
  readonly after: string;
  readonly mb: number;
}

interface Sizes {
  /** In every namespace, a round. */
  readonly pods: number;
  /** With images that are known, of every webhook, a round. */
  readonly known: number;
  /** With images that are not, a round. */
  readonly unseen: number;
  /** After how many pods memory is read, and after how many more with images that were never seen. */
  readonly manyKnown: readonly number[];
  readonly manyUnseen: number;
}

const full: Sizes = {
  pods: 400,
  known: 4_000,
  unseen: 100,
  manyKnown: [10_000, 100_000],
  manyUnseen: 10_000,
};
const quick: Sizes = { pods: 60, known: 800, unseen: 20, manyKnown: [1_000, 5_000], manyUnseen: 1_000 };

/** As many changes as an API server has under way at most. */
const crowd = 200;
const few = 4;

/** A webhook and the connections to it. */
interface Asked {
  readonly webhook: Contestant;
  readonly poster: Poster;
}

interface Work {
  readonly bench: Bench;
  readonly sizes: Sizes;
  readonly cluster: Cluster;
  readonly images: SignedImages;
  readonly pods: Pods;
  /** About a pod with images that are known. */
  readonly review: string;
  readonly ours: Asked;
  readonly noOp: Asked;
}

export async function measure(bench: Bench, cluster: Cluster, images: SignedImages): Promise<Measured> {
  const atStart = { after: 'when it has started', mb: rssMb(cluster.ours.pid) };
  const { pods, reviews } = await podsFor(cluster, await images.make(3));
  const [ours, noOp] = [cluster.ours, cluster.noOp].map(askable) as [Asked, Asked];
  const sizes = bench.quick ? quick : full;
  const work = { bench, sizes, cluster, images, pods, review: reviews.validate, ours, noOp };
  try {
    const memory = [atStart, ...(await grow(work))];
    await warmMutation(work, reviews.mutate);
    const rounds: Round[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      bench.log(`admission: round ${round + 1} of ${bench.rounds}`);
      rounds.push(await measureRound(work));
    }
    return { rounds, memory };
  } finally {
    await Promise.all([ours, noOp].map(({ poster }) => poster.close()));
  }
}

function askable(webhook: Contestant): Asked {
  return { webhook, poster: new Poster(webhook, crowd) };
}

/** What it holds in the end, and warm code for all that follows. */
async function grow({ bench, sizes, images, review, ours, noOp }: Work): Promise<readonly Memory[]> {
  const memory: Memory[] = [];
  const remember = (after: string) => memory.push({ after, mb: rssMb(ours.webhook.pid) });
  let asked = 0;
  for (const count of sizes.manyKnown) {
    bench.log(`admission: ${count} pods, ${crowd} at a time`);
    await ours.poster.askAll(count - asked, crowd, repeated(review));
    asked = count;
    remember(`after ${count} pods with known images, ${crowd} at a time`);
  }
  await noOp.poster.askAll(asked, crowd, repeated(review));
  bench.log(`admission: ${sizes.manyUnseen} images that were never seen`);
  const many = await images.makeMany(sizes.manyUnseen);
  await ours.poster.askAll(many.length, crowd, withImages(review, many));
  remember(`after ${many.length} more, each with an image that was never seen`);
  return memory;
}

async function warmMutation({ cluster, sizes }: Work, review: string): Promise<void> {
  const poster = new Poster(cluster.ours, few, '/mutate');
  try {
    await poster.askAll(sizes.manyKnown[0] ?? 0, few, repeated(review));
  } finally {
    await poster.close();
  }
}

async function measureRound(work: Work): Promise<Round> {
  const { cluster, sizes, pods, review, ours, noOp } = work;
  const latencies = await timePods(cluster, pods, sizes.pods);
  const [known = Number.NaN, noOpKnown = Number.NaN] = await alternate([ours, noOp], (asked, parts) =>
    cpuOf(asked, Math.ceil(sizes.known / parts), few, repeated(review)),
  );
  return { latencies, known: { ours: known, noOp: noOpKnown }, unseen: await unseen(work) };
}

async function unseen({ images, sizes, review, ours }: Work): Promise<Round['unseen']> {
  const made = await images.make(sizes.unseen);
  const before = images.proxy.count();
  const cpu = await cpuOf(ours, made.length, 1, withImages(review, made));
  return { cpuMs: cpu, requests: (images.proxy.count() - before) / made.length };
}

/** For each review, in ms. */
async function cpuOf(
  { webhook, poster }: Asked,
  count: number,
  parallel: number,
  reviewOf: ReviewOf,
): Promise<number> {
  const before = cpuMs(webhook.pid);
  await poster.askAll(count, parallel, reviewOf);
  return (cpuMs(webhook.pid) - before) / count;
}
