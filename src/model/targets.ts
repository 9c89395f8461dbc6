// Which port of which pod a Service port leads to.

import type { Collected, Entries, Entry } from './collect.ts';
import type { NamespacedName } from './mesh.ts';
import type { EndpointSliceResource, PodResource, ServicePortResource, ServiceResource } from './resource.ts';
import { labelsMatch } from './selector.ts';

export interface Target {
  readonly pod: NamespacedName;
  readonly port: number;
}

export interface ServicePortTargets {
  readonly service: Entry<ServiceResource>;
  readonly port: ServicePortResource;
  readonly targets: readonly Target[];
}

/**
 * By the Service's selector, and by its EndpointSlices whether ready or not: what a port means must not change when a
 * readiness probe does.
 */
export function resolveTargets(collected: Collected, slicesOf: SlicesOf): readonly ServicePortTargets[] {
  const candidates = indexByLabel(collected.pods);
  const all: ServicePortTargets[] = [];
  for (const service of collected.services.values()) {
    const selected = selectedPods(service.resource, candidates);
    for (const port of service.resource.ports) {
      const targets = new Map<string, Target>();
      const add = (target: Target) => targets.set(`${target.pod}:${target.port}`, target);
      for (const pod of selected) {
        const number = targetPortOf(port, pod.resource);
        if (number !== undefined) add({ pod: pod.key, port: number });
      }
      for (const slice of slicesOf(service.key)) {
        for (const target of sliceTargets(slice.resource, port, collected.pods)) add(target);
      }
      all.push({ service, port, targets: [...targets.values()] });
    }
  }
  return all;
}

export type SlicesOf = (service: NamespacedName) => readonly Entry<EndpointSliceResource>[];

export function groupSlices(slices: Entries<EndpointSliceResource>): SlicesOf {
  const groups = Map.groupBy(
    slices.values(),
    ({ resource }): NamespacedName => `${resource.namespace}/${resource.serviceName ?? ''}`,
  );
  return (service) => groups.get(service) ?? [];
}

/** The pod of an endpoint: in the slice's own namespace only, for a reference into another could claim any pod. */
export function endpointPod(
  slice: EndpointSliceResource,
  pod: { readonly namespace: string; readonly name: string } | undefined,
  pods: Entries<PodResource>,
): Entry<PodResource> | undefined {
  if (pod === undefined || pod.namespace !== slice.namespace) return undefined;
  const entry = pods.get(`${pod.namespace}/${pod.name}`);
  return entry?.resource.ended === true ? undefined : entry;
}

function sliceTargets(
  slice: EndpointSliceResource,
  port: ServicePortResource,
  pods: Entries<PodResource>,
): readonly Target[] {
  const number = slice.ports.find((each) => each.name === port.name)?.port;
  if (number === undefined) return [];
  return slice.endpoints.flatMap((endpoint) => {
    const pod = endpointPod(slice, endpoint.pod, pods);
    return pod === undefined ? [] : [{ pod: pod.key, port: number }];
  });
}

function targetPortOf(port: ServicePortResource, pod: PodResource): number | undefined {
  if (typeof port.targetPort === 'number') return port.targetPort;
  return pod.containerPorts.find((each) => each.name === port.targetPort)?.port;
}

/** Pods by namespace and one label pair: a Service then looks at its own pods, not at all of the mesh. */
function indexByLabel(pods: Entries<PodResource>): ReadonlyMap<string, readonly Entry<PodResource>[]> {
  const index = new Map<string, Entry<PodResource>[]>();
  for (const entry of pods.values()) {
    const { namespace, labels, ended } = entry.resource;
    if (ended) continue;
    for (const [key, value] of Object.entries(labels)) {
      const bucket = `${namespace}/${key}=${value}`;
      const known = index.get(bucket);
      if (known === undefined) index.set(bucket, [entry]);
      else known.push(entry);
    }
  }
  return index;
}

function selectedPods(
  service: ServiceResource,
  index: ReadonlyMap<string, readonly Entry<PodResource>[]>,
): readonly Entry<PodResource>[] {
  const { selector } = service;
  if (selector === undefined) return [];
  let fewest: readonly Entry<PodResource>[] | undefined;
  for (const [key, value] of Object.entries(selector)) {
    const bucket = index.get(`${service.namespace}/${key}=${value}`) ?? [];
    if (fewest === undefined || bucket.length < fewest.length) fewest = bucket;
  }
  return (fewest ?? []).filter((pod) => labelsMatch(selector, pod.resource.labels));
}
