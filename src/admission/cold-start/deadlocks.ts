// What would not come up again after a power cut: pods that wait for the admission webhook, while it waits for them.

import { webhookNameSuffix } from '../names.ts';
import type { ClusterObjects, Workload } from './cluster-objects.ts';
import { type Guard, guardsOf, isGuarded, serversOf } from './guards.ts';
import { type Role, rolesOf } from './must-start-first.ts';

export type ColdStartCode =
  | 'webhook-judges-itself'
  | 'webhooks-wait-for-each-other'
  | 'network-waits'
  | 'dns-waits'
  | 'registry-waits'
  | 'storage-waits'
  | 'critical-waits';

export interface ColdStartFinding {
  readonly code: ColdStartCode;
  /** deadlock: neither starts without the other. delay: it starts only once the webhook answers. */
  readonly severity: 'deadlock' | 'delay';
  /** `DaemonSet calico-system/calico-node` */
  readonly workload: string;
  /** To exempt. */
  readonly namespace: string;
  readonly message: string;
}

export interface ColdStart {
  /** Names of the webhooks of Trellis that pods wait for. Empty: it guards nothing, or is not installed. */
  readonly webhooks: readonly string[];
  readonly findings: readonly ColdStartFinding[];
  /** All that was recognised as something others depend on, whether it waits or not. */
  readonly recognised: readonly { readonly role: Role; readonly workload: string }[];
  /** Kinds of which every cluster has some, and these objects none: nothing can be concluded from them. */
  readonly missing: readonly string[];
}

export function coldStart(objects: ClusterObjects): ColdStart {
  const guards = guardsOf(objects);
  const own = guards.filter(({ name }) => name.endsWith(webhookNameSuffix));
  const roles = rolesOf(objects);
  const findings = own.flatMap((guard) => [
    ...waitingForItself(guard, guards, objects),
    ...infrastructure(guard, roles, objects),
  ]);
  const recognised = [...roles].map(([workload, role]) => ({ role, workload: nameOf(workload) }));
  const missing = missingIn(objects, own);
  return { webhooks: own.map(({ name }) => name), findings, recognised, missing };
}

type Roles = ReturnType<typeof rolesOf>;

/**
 * What every cluster has and these objects lack, beside what the chart brings along: of a part of a cluster nothing can be said. Such a
 * part is what kubectl prints where it may not list a kind.
 */
function missingIn(objects: ClusterObjects, own: readonly Guard[]): readonly string[] {
  const ours = new Set(own.map(({ service }) => service.namespace));
  const others = <T extends { readonly namespace: string }>(all: readonly T[]) =>
    all.filter(({ namespace }) => !ours.has(namespace));
  return [
    ...(objects.namespaces.size === 0 ? ['Namespaces'] : []),
    ...(others(objects.workloads).some(({ kind }) => kind === 'DaemonSet') ? [] : ['DaemonSets']),
    ...(others(objects.services).length > 0 ? [] : ['Services']),
  ];
}

/** The shortest way from a webhook back to itself, over those that judge the pods by which the one before is served. */
function waitingForItself(
  own: Guard,
  guards: readonly Guard[],
  objects: ClusterObjects,
): readonly ColdStartFinding[] {
  const seen = new Set<Guard>();
  let ways: readonly (readonly [Guard, ...Guard[]])[] = [[own]];
  while (ways.length > 0) {
    const further: [Guard, ...Guard[]][] = [];
    for (const way of ways) {
      const last = way.at(-1) ?? own;
      const waiting = serversOf(last, objects);
      const back = waiting.find((each) => isGuarded(each, own, objects));
      if (back !== undefined) return [cycle(own, way, back)];
      for (const next of guards) {
        if (next === own || seen.has(next) || !waiting.some((each) => isGuarded(each, next, objects)))
          continue;
        seen.add(next);
        further.push([...way, next]);
      }
    }
    ways = further;
  }
  return [];
}

function cycle(own: Guard, way: readonly Guard[], back: Workload): ColdStartFinding {
  const { namespace } = back;
  const workload = nameOf(back);
  if (way.length === 1) {
    const message = `it serves ${own.name}, which judges its pods: none of them can be made while none of them runs`;
    return { code: 'webhook-judges-itself', severity: 'deadlock', workload, namespace, message };
  }
  const others = way.slice(1).map(({ name, configuration }) => `${name} (${configuration})`);
  return {
    ...{ code: 'webhooks-wait-for-each-other', severity: 'deadlock', workload, namespace },
    message: `the pods of ${own.name} wait for ${others.join(', whose pods wait for ')}, whose pods wait for ${own.name}: exempt the namespace here, or that of ${own.name} (${own.service.namespace}) there`,
  };
}

function infrastructure(own: Guard, roles: Roles, objects: ClusterObjects): readonly ColdStartFinding[] {
  const servers = serversOf(own, objects);
  return [...roles]
    .filter(([workload]) => !servers.includes(workload) && isGuarded(workload, own, objects))
    .map(([workload, role]) => waiting(workload, role, own));
}

function waiting(workload: Workload, role: Role, { name }: Guard): ColdStartFinding {
  const [severity, why] = reasons[role];
  const [namespace, waits] = [workload.namespace, `its pods wait for ${name}`];
  return {
    ...{ code: `${role}-waits`, severity, workload: nameOf(workload), namespace },
    message: severity === 'deadlock' ? `${waits}, and ${name} waits for them: ${why}` : `${waits}: ${why}`,
  };
}

const reasons: Readonly<Record<Role, readonly [ColdStartFinding['severity'], string]>> = {
  network: ['deadlock', 'it makes the network of pods (CNI)'],
  dns: ['deadlock', 'it is cluster DNS, by which registries are found'],
  registry: ['deadlock', 'images are verified and pulled from there'],
  storage: ['delay', 'it is the part of a storage driver (CSI) that volumes on its node need'],
  critical: ['delay', 'its priority class says that a node, or the cluster, does not work without it'],
};

function nameOf({ kind, namespace, name }: Workload): string {
  return `${kind} ${namespace}/${name}`;
}
