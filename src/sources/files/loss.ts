// What a change takes away. A torn write looks like a deletion: the end of the file, of a list or of an object is not there
// yet, or the file is gone until the next one takes its place. Most of what is missing then makes the mesh more open.

import { isDeepStrictEqual } from 'node:util';
import type { Manifest } from '../../model/manifest.ts';
import { isRecord } from '../../model/manifest.ts';
import type { MeshState, Policy, QuantumService, Service, Workload } from '../../model/mesh.ts';
import type { ManifestParser } from '../../model/parse.ts';
import { type FieldPath, formatPath } from '../../model/problem.ts';

/** A state and the objects it was made of. */
export interface Desired {
  readonly state: MeshState;
  /** `<Kind> <namespace>/<name>`, also of kinds that leave no trace of their own in the state, such as EndpointSlice. */
  readonly objects: ReadonlySet<string>;
}

/** Names of the objects that the mesh reads among the manifests. */
export function namesOfObjects(manifests: readonly Manifest[], parse: ManifestParser): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { content } of manifests) {
    const { resource } = parse(content);
    if (resource !== undefined) names.add(`${resource.kind} ${resource.namespace}/${resource.name}`);
  }
  return names;
}

/**
 * The first thing found of `before` that `after` lacks, as words such as `Pod trading/a is gone`; undefined when `after` only
 * adds and alters. Taking rules out of `authorization` is no loss while the field stays: it allows less.
 */
export function findLoss(before: Desired, after: Desired): string | undefined {
  for (const name of before.objects) {
    if (!after.objects.has(name)) return `${name} is gone`;
  }
  const [old, next] = [before.state, after.state];
  return (
    lossInAny('QuantumSecurityPolicy', old.policies, next.policies, policyLoss) ??
    lossInAny('QuantumService', old.quantumServices, next.quantumServices, quantumServiceLoss) ??
    lossInAny('Pod', old.workloads, next.workloads, workloadLoss) ??
    lossInAny('Service', old.services, next.services, serviceLoss)
  );
}

function lossInAny<V>(
  kind: string,
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  lossOf: (before: V, after: V) => string | undefined,
): string | undefined {
  if (before === after) return undefined;
  for (const [key, old] of before) {
    const next = after.get(key);
    // An object that is there and yet not in the state (a pod that has ended) says so itself.
    if (next === undefined || next === old) continue;
    const loss = lossOf(old, next);
    if (loss !== undefined) return `${kind} ${key}: ${loss}`;
  }
  return undefined;
}

function policyLoss({ spec: before }: Policy, { spec: after }: Policy): string | undefined {
  const { authorization: oldRules, ...others } = before;
  const path = lostPath(others, after, ['spec']) ?? wideningPath(oldRules, after.authorization);
  return path === undefined ? undefined : `${formatPath(path)} is gone or lost something`;
}

function quantumServiceLoss({ spec: before }: QuantumService, after: QuantumService): string | undefined {
  const path = lostPath(before, after.spec, ['spec']);
  return path === undefined ? undefined : `${formatPath(path)} is gone or lost something`;
}

/** Where a field, or an entry of a list, of `before` is missing. An entry that was altered is missing; a scalar is not. */
function lostPath(before: unknown, after: unknown, path: FieldPath): FieldPath | undefined {
  if (Array.isArray(before)) {
    if (!Array.isArray(after)) return path;
    // Not by position or count: of two entries, the one left may be new.
    return before.every((old) => after.some((next) => isDeepStrictEqual(old, next))) ? undefined : path;
  }
  if (!isRecord(before)) return undefined;
  if (!isRecord(after)) return path;
  for (const [key, value] of Object.entries(before)) {
    if (value === undefined) continue;
    const next = Object.hasOwn(after, key) ? after[key] : undefined;
    const lost = next === undefined ? [...path, key] : lostPath(value, next, [...path, key]);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

type Rules = NonNullable<Policy['spec']['authorization']>;

const constraints = ['ports', 'methods', 'paths'] as const;

/**
 * Where `authorization` lets through more than its rules so far by what it leaves out: the whole field, or, in a rule or
 * operation that is new, a constraint that the rules in force use. Fewer rules, callers or operations allow less.
 */
function wideningPath(before: Rules | undefined, after: Rules | undefined): FieldPath | undefined {
  if (before === undefined) return undefined;
  const path = ['spec', 'authorization'] as const;
  if (after === undefined) return path;
  const oldOperations = before.flatMap(({ to }) => to ?? []);
  if (oldOperations.length === 0) return undefined;
  const used = constraints.filter((each) => oldOperations.some((operation) => operation[each] !== undefined));
  for (const [index, rule] of after.entries()) {
    if (before.some((old) => isDeepStrictEqual(old, rule))) continue;
    if (rule.to === undefined) return [...path, index, 'to'];
    for (const [position, operation] of rule.to.entries()) {
      if (oldOperations.some((old) => isDeepStrictEqual(old, operation))) continue;
      const missing = used.find((each) => operation[each] === undefined);
      if (missing !== undefined) return [...path, index, 'to', position, missing];
    }
  }
  return undefined;
}

/** What decides whether a pod is in the mesh, who it is, which policies select it and which ports they guard. */
function workloadLoss(before: Workload, after: Workload): string | undefined {
  if (before.meshed && !after.meshed) return 'its identity volume is gone';
  if (before.serviceAccount !== after.serviceAccount && after.serviceAccount === noServiceAccount) {
    return 'its service account is gone';
  }
  const label = Object.keys(before.labels).find((key) => !Object.hasOwn(after.labels, key));
  if (label !== undefined) return `label ${label} is gone`;
  if (after.addresses.length < before.addresses.length) return 'an address is gone';
  return portLoss(before.ports, after.ports);
}

/** What a pod has that names none. */
const noServiceAccount = 'default';

/** Endpoints come and go with their readiness; but one that no longer names its pod would be taken for one outside the mesh. */
function serviceLoss(before: Service, after: Service): string | undefined {
  if (after.clusterIps.length < before.clusterIps.length) return 'a cluster IP is gone';
  const lost = portLoss(before.ports, after.ports);
  if (lost !== undefined) return lost;
  const named = new Set(endpointsOf(before).map(({ address, workload }) => workload && address));
  const nameless = endpointsOf(after).find(
    ({ address, workload }) => workload === undefined && named.has(address),
  );
  return nameless === undefined ? undefined : `endpoint ${nameless.address} no longer names its pod`;
}

function endpointsOf({ ports }: Service): Service['ports'][number]['endpoints'] {
  return ports.flatMap(({ endpoints }) => endpoints);
}

type Ports = readonly { readonly port: number }[];

function portLoss(before: Ports, after: Ports): string | undefined {
  const kept = new Set(after.map(({ port }) => port));
  const lost = before.find(({ port }) => !kept.has(port));
  return lost === undefined ? undefined : `port ${lost.port} is gone`;
}
