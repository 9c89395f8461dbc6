// Pods as they are sent to each namespace, and the time that making them takes.

import { until } from '../../test/support/until.ts';
import { type Cluster, type Namespace, namespaces } from './cluster.ts';
import { podOf } from './pod.ts';
import { Poster } from './poster.ts';

export type Pods = Readonly<Record<Namespace, object>>;

export interface PreparedPods {
  readonly pods: Pods;
  /** How the API server asks about them: one as it is written, to be mutated; one that has its sidecar, to be validated. */
  readonly reviews: { readonly mutate: string; readonly validate: string };
}

/**
 * Where pods are mutated, one as people write it; elsewhere the same with the sidecar that it has to have by then.
 * @param images three of them, by digest
 */
export async function podsFor(cluster: Cluster, images: readonly string[]): Promise<PreparedPods> {
  const [app = '', cache = '', log = ''] = images;
  const written = podOf([app, cache, log]);
  // API servers take a moment to see a new configuration.
  await until('a pod without a sidecar to be refused', () =>
    cluster.createPod('ours-validates', written).then(
      () => false,
      () => true,
    ),
  );
  const injected = await until('the sidecar', () => sidecarIn(cluster, 'ours-both', written));
  const meshed = { ...written, spec: injected };
  await cluster.createPod('ours-validates', meshed);
  const mutate = await reviewIn(cluster, 'no-op-both', written);
  cluster.answerWith(await patchOf(cluster, mutate));
  await until('the same patch', () => sidecarIn(cluster, 'same-patch-both', written));
  const validate = await reviewIn(cluster, 'no-op-validates', meshed);
  const pods = {
    ...{ nobody: meshed, 'no-op-validates': meshed, 'ours-validates': meshed },
    ...{ 'no-op-both': written, 'same-patch-both': written, 'ours-both': written },
  };
  return { pods, reviews: { mutate, validate } };
}

/** The spec that a pod comes out with; undefined where it has got no sidecar. */
async function sidecarIn(cluster: Cluster, namespace: Namespace, pod: object): Promise<object | undefined> {
  const { spec } = (await cluster.createPod(namespace, pod)) as { readonly spec: Spec };
  return spec.initContainers === undefined ? undefined : spec;
}

interface Spec {
  readonly initContainers?: unknown;
}

/** How the no-op webhook is asked. */
async function reviewIn(cluster: Cluster, namespace: Namespace, pod: object): Promise<string> {
  return await until(`a question about ${namespace}`, async () => {
    await cluster.createPod(namespace, pod);
    const review = await cluster.lastReview();
    return review.includes(`"namespace":"${namespace}"`) && review;
  });
}

/** What ours would change. */
async function patchOf({ ours }: Cluster, review: string): Promise<string> {
  const poster = new Poster(ours, 1, '/mutate');
  try {
    const answer = JSON.parse(await poster.ask(review)) as { readonly response: { readonly patch: string } };
    return answer.response.patch;
  } finally {
    await poster.close();
  }
}

/** One at a time, in one namespace after the other. */
export async function timePods(
  cluster: Cluster,
  pods: Pods,
  count: number,
): Promise<Readonly<Record<Namespace, readonly number[]>>> {
  const times = Object.fromEntries(namespaces.map((namespace) => [namespace, []])) as unknown as Record<
    Namespace,
    number[]
  >;
  for (let pod = 0; pod < count; pod++) {
    for (const namespace of namespaces) {
      const started = performance.now();
      await cluster.createPod(namespace, pods[namespace]);
      times[namespace].push(performance.now() - started);
    }
  }
  return times;
}
