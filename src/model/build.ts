// From single resources to the state of the mesh: names resolved, endpoints joined to their pods, protocols agreed.

import { checkReferences } from './checks.ts';
import { type Collected, collect, type Entry, type IgnoredKind, ProblemList } from './collect.ts';
import type { Manifest } from './manifest.ts';
import type { Endpoint, MeshState, NamespacedName, Service, ServicePort, Workload } from './mesh.ts';
import type { ManifestParser } from './parse.ts';
import { compareProblems, compareText, hasErrors, type Problem } from './problem.ts';
import { agreeOnProtocols, type Protocols } from './protocols.ts';
import { isProxyPort } from './proxy-ports.ts';
import type { PodResource, ServiceResource } from './resource.ts';
import { shareUnchanged } from './share.ts';
import {
  endpointPod,
  groupSlices,
  resolveTargets,
  type ServicePortTargets,
  type SlicesOf,
} from './targets.ts';

export interface MeshOptions {
  /** SPIFFE trust domain, e.g. `cluster.local`. */
  readonly trustDomain: string;
  /** The namespace whose policies hold for the whole mesh. */
  readonly rootNamespace: string;
  readonly parse: ManifestParser;
}

export interface MeshBuild {
  /** Absent when a problem is an error: a mesh without the policy that did not parse would be a more open one. */
  readonly state: MeshState | undefined;
  readonly problems: readonly Problem[];
  /** Kinds among the manifests that the mesh does not read, each once. */
  readonly ignored: readonly IgnoredKind[];
}

/**
 * Builds the state of the mesh from all manifests. Pure and independent of their order; never throws, whatever they hold.
 * Given the previous state, everything that is unchanged keeps its identity, up to the state itself.
 */
export function buildMeshState(
  manifests: readonly Manifest[],
  options: MeshOptions,
  previous?: MeshState,
): MeshBuild {
  const problems = new ProblemList();
  const { collected, ignored } = collect(manifests, options.parse, problems);
  const slicesOf = groupSlices(collected.slices);
  const targets = resolveTargets(collected, slicesOf);
  const protocols = agreeOnProtocols(targets, collected.quantumServices, problems);
  checkReferences(collected, options.rootNamespace, problems);

  const sorted = problems.problems.toSorted(compareProblems);
  if (hasErrors(sorted)) return { state: undefined, problems: sorted, ignored };
  const state: MeshState = {
    trustDomain: options.trustDomain,
    rootNamespace: options.rootNamespace,
    workloads: buildWorkloads(collected, targets, protocols),
    services: buildServices(collected, slicesOf, protocols),
    policies: mapValues(collected.policies, ({ resource: { namespace, name, spec, unusable } }) => ({
      ...{ namespace, name, spec },
      ...(unusable !== undefined && { unusable }),
    })),
    quantumServices: mapValues(collected.quantumServices, ({ resource: { namespace, name, spec } }) => ({
      namespace,
      name,
      spec,
    })),
  };
  return { state: shareUnchanged(state, previous), problems: sorted, ignored };
}

function buildWorkloads(
  collected: Collected,
  targets: readonly ServicePortTargets[],
  protocols: Protocols,
): ReadonlyMap<NamespacedName, Workload> {
  const targeted = new Map<NamespacedName, Set<number>>();
  for (const target of targets.flatMap((each) => each.targets)) {
    const ports = targeted.get(target.pod) ?? new Set();
    targeted.set(target.pod, ports.add(target.port));
  }
  const workloads = new Map<NamespacedName, Workload>();
  for (const { key, resource } of collected.pods.values()) {
    if (resource.ended) continue;
    const { namespace, name, uid, labels, serviceAccount, addresses } = resource;
    const meshed = resource.identityVolume !== 'none';
    const ports = workloadPorts(key, resource, targeted.get(key) ?? new Set(), protocols);
    workloads.set(key, { namespace, name, uid, labels, serviceAccount, addresses, ports, meshed });
  }
  return workloads;
}

function workloadPorts(
  key: NamespacedName,
  pod: PodResource,
  targeted: ReadonlySet<number>,
  protocols: Protocols,
): Workload['ports'] {
  const names = new Map<number, string | undefined>([...targeted].map((port) => [port, undefined]));
  for (const { port, name } of pod.containerPorts) names.set(port, name);
  return [...names]
    .filter(([port]) => !isProxyPort(port))
    .sort(([a], [b]) => a - b)
    .map(([port, name]) => ({ name, port, protocol: protocols.ofWorkload(key, port) }));
}

function buildServices(
  collected: Collected,
  slicesOf: SlicesOf,
  protocols: Protocols,
): ReadonlyMap<NamespacedName, Service> {
  return mapValues(collected.services, (entry) => {
    const { namespace, name, labels, clusterIps } = entry.resource;
    const ports = entry.resource.ports
      .toSorted((a, b) => a.port - b.port)
      .map(
        (port): ServicePort => ({
          name: port.name,
          port: port.port,
          protocol: protocols.ofService(entry.key, port.port),
          endpoints: endpointsOf(entry, port.name, collected, slicesOf),
        }),
      );
    return { namespace, name, labels, clusterIps, ports };
  });
}

function endpointsOf(
  service: Entry<ServiceResource>,
  portName: string,
  collected: Collected,
  slicesOf: SlicesOf,
): readonly Endpoint[] {
  // While a pod moves between slices it is in both: the API asks readers to drop repetitions.
  const found = new Map<string, Endpoint>();
  for (const { resource: slice } of slicesOf(service.key)) {
    const port = slice.ports.find((each) => each.name === portName)?.port;
    if (port === undefined || slice.addressType === 'FQDN') continue;
    for (const { address, ready, pod } of slice.endpoints) {
      if (!ready) continue;
      const key = `${address} ${port}`;
      const workload = endpointPod(slice, pod, collected.pods)?.key ?? found.get(key)?.workload;
      found.set(key, { address, port, workload });
    }
  }
  return [...found.values()].sort((a, b) => compareText(a.address, b.address) || a.port - b.port);
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V) => W): ReadonlyMap<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
