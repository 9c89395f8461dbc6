// What can only be seen across manifests: references that lead nowhere, addresses given twice, rules about namespaces.

import type { Collected, Entry, ProblemList } from './collect.ts';
import type { FieldPath, Problem, ProblemCode } from './problem.ts';
import { quote } from './problem.ts';
import type {
  EndpointSliceResource,
  PodResource,
  PolicyResource,
  QuantumServiceResource,
  ServiceResource,
} from './resource.ts';
import { type LabelSelector, selectorMatches } from './selector.ts';

/** Adds what is found to `problems`. */
export function checkReferences(collected: Collected, rootNamespace: string, problems: ProblemList): void {
  const running = [...collected.pods.values()].filter((pod) => !pod.resource.ended);
  const add: Report = (entry, severity, code, path, message) =>
    problems.add(entry, { severity, code, path, message });
  checkPods(running, collected, add);
  checkClusterIps(collected, add);
  for (const slice of collected.slices.values()) checkSlice(slice, collected, add);
  const labels = labelsByNamespace(running);
  for (const policy of collected.policies.values()) checkPolicy(policy, rootNamespace, labels, add);
  for (const service of collected.quantumServices.values())
    checkQuantumService(service, collected, labels, add);
}

type Report = (
  entry: Entry,
  severity: Problem['severity'],
  code: ProblemCode,
  path: FieldPath,
  message: string,
) => void;

function checkPods(pods: readonly Entry<PodResource>[], collected: Collected, add: Report): void {
  const uids = new Map<string, Entry>();
  const addresses = new Map<string, Entry>();
  for (const pod of pods) {
    const { namespace, serviceAccount, uid, identityVolume, hostNetwork } = pod.resource;
    // The account `default` is made with its namespace.
    if (serviceAccount !== 'default' && !collected.serviceAccounts.has(`${namespace}/${serviceAccount}`)) {
      const message = `there is no ServiceAccount ${namespace}/${serviceAccount}; add it, or the pod could not start in a cluster`;
      add(pod, 'warning', 'UnknownServiceAccount', ['spec', 'serviceAccountName'], message);
    }
    if (identityVolume === 'writable') {
      const message =
        'the CSI volume of the identity is not readOnly, and the node agent will not publish it; set csi.readOnly: true';
      add(pod, 'warning', 'WritableVolume', ['spec', 'volumes'], message);
    }
    // Two pods of one uid would share an identity at the agent.
    const twin = remember(uids, uid, pod);
    if (twin !== undefined) {
      add(
        pod,
        'error',
        'DuplicateUid',
        ['metadata', 'uid'],
        `pod ${twin.key} has the same uid; a uid stands for one pod`,
      );
    }
    for (const address of hostNetwork ? [] : pod.resource.addresses) {
      const neighbour = remember(addresses, address, pod);
      if (neighbour === undefined) continue;
      const message = `pod ${neighbour.key} has the same address ${address}; give each pod its own`;
      add(pod, 'warning', 'DuplicateAddress', ['status'], message);
    }
  }
}

/** Two Services at one address and port cannot be told apart by a proxy. */
function checkClusterIps(collected: Collected, add: Report): void {
  const owners = new Map<string, Entry>();
  for (const service of collected.services.values()) {
    for (const address of service.resource.clusterIps) {
      const owner = remember(owners, address, service);
      if (owner === undefined) continue;
      const message = `Service ${owner.key} has the same cluster IP ${address}; give each Service its own`;
      add(service, 'error', 'DuplicateAddress', ['spec', 'clusterIP'], message);
    }
  }
}

/** The earlier owner of a key, or undefined after recording this one. */
function remember(owners: Map<string, Entry>, key: string, entry: Entry): Entry | undefined {
  const owner = owners.get(key);
  if (owner === undefined) owners.set(key, entry);
  return owner;
}

function checkSlice(slice: Entry<EndpointSliceResource>, collected: Collected, add: Report): void {
  const { namespace, serviceName, addressType, endpoints } = slice.resource;
  const service =
    serviceName === undefined ? undefined : collected.services.get(`${namespace}/${serviceName}`);
  if (service === undefined) {
    const message =
      serviceName === undefined
        ? 'the label kubernetes.io/service-name is missing, so it belongs to no Service; add it'
        : `there is no Service ${quote(`${namespace}/${serviceName}`)}; add it, or correct the label kubernetes.io/service-name`;
    add(slice, 'warning', 'UnknownService', ['metadata', 'labels'], message);
    return;
  }
  if (addressType === 'FQDN') {
    add(
      slice,
      'warning',
      'InvalidField',
      ['addressType'],
      'endpoints of type FQDN are not used; give their addresses instead',
    );
  }
  checkSlicePorts(slice, service, add);
  for (const [index, { pod }] of endpoints.entries()) {
    if (pod === undefined) continue;
    const known = collected.pods.get(`${pod.namespace}/${pod.name}`);
    if (pod.namespace === namespace && known !== undefined && !known.resource.ended) continue;
    const name = quote(`${pod.namespace}/${pod.name}`);
    const reason =
      pod.namespace !== namespace
        ? `pod ${name} is in another namespace`
        : `pod ${name} ${known === undefined ? 'does not exist' : 'has ended'}`;
    const message = `${reason}, so the endpoint has no identity and gets no mesh traffic; correct targetRef or remove the endpoint`;
    add(slice, 'warning', 'UnknownPod', ['endpoints', index, 'targetRef'], message);
  }
}

function checkSlicePorts(
  slice: Entry<EndpointSliceResource>,
  service: Entry<ServiceResource>,
  add: Report,
): void {
  const names = service.resource.ports.map((port) => port.name);
  for (const port of slice.resource.ports) {
    if (names.includes(port.name)) continue;
    const listed = names.map((name) => quote(name)).join(', ') || 'none';
    const message = `Service ${service.key} has no TCP port named ${quote(port.name)} (it has: ${listed}); ports are joined by name`;
    add(slice, 'warning', 'UnknownPort', ['ports'], message);
  }
}

type LabelSets = ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>;

function labelsByNamespace(pods: readonly Entry<PodResource>[]): LabelSets {
  const sets = new Map<string, Readonly<Record<string, string>>[]>();
  for (const { resource } of pods) {
    const known = sets.get(resource.namespace);
    if (known === undefined) sets.set(resource.namespace, [resource.labels]);
    else known.push(resource.labels);
  }
  return sets;
}

function checkPolicy(
  policy: Entry<PolicyResource>,
  rootNamespace: string,
  labels: LabelSets,
  add: Report,
): void {
  const { namespace, spec } = policy.resource;
  const isRoot = namespace === rootNamespace;
  if (spec.quarantine !== undefined && !isRoot) {
    const message = `spec.quarantine: only allowed in the root namespace ${rootNamespace}; move it to a policy there`;
    add(policy, 'error', 'RootNamespaceOnly', ['spec', 'quarantine'], message);
  }
  // A policy for the whole mesh, or about images only, has its use before the first pod runs.
  if (spec.selector === undefined && (isRoot || spec.images !== undefined)) return;
  const scope = isRoot ? [...labels.values()].flat() : (labels.get(namespace) ?? []);
  if (scope.some((each) => selectorMatches(spec.selector as LabelSelector | undefined, each))) return;
  const where = isRoot ? 'the mesh' : `namespace ${namespace}`;
  const message =
    spec.selector === undefined
      ? `selects nothing: ${where} has no running pod; check metadata.namespace`
      : `selects nothing: no running pod of ${where} has these labels; check spec.selector`;
  add(
    policy,
    'warning',
    'SelectsNothing',
    spec.selector === undefined ? ['metadata'] : ['spec', 'selector'],
    message,
  );
}

function checkQuantumService(
  entry: Entry<QuantumServiceResource>,
  collected: Collected,
  labels: LabelSets,
  add: Report,
): void {
  const { namespace, spec } = entry.resource;
  const selects = (labels.get(namespace) ?? []).some((each) =>
    selectorMatches(spec.selector as LabelSelector, each),
  );
  if (!selects) {
    const message = `selects nothing: no running pod of namespace ${namespace} has these labels; check spec.selector`;
    add(entry, 'warning', 'SelectsNothing', ['spec', 'selector'], message);
  }
  const service = collected.services.get(entry.key);
  if (service === undefined) {
    const message = `there is no Service ${entry.key}; a QuantumService describes the Service of its own name`;
    add(entry, 'warning', 'UnknownService', ['metadata', 'name'], message);
    return;
  }
  for (const [index, declared] of (spec.ports ?? []).entries()) {
    const real = service.resource.ports.find((each) => each.port === declared.port);
    const path = ['spec', 'ports', index];
    if (real === undefined) {
      add(
        entry,
        'warning',
        'UnknownPort',
        path,
        `Service ${entry.key} has no port ${declared.port}; make the two agree`,
      );
    } else if (
      typeof real.targetPort === 'number' &&
      real.targetPort !== (declared.targetPort ?? declared.port)
    ) {
      const message = `Service ${entry.key} leads port ${declared.port} to ${real.targetPort}, not to ${declared.targetPort ?? declared.port}; make the two agree`;
      add(entry, 'warning', 'UnknownPort', path, message);
    }
  }
}
