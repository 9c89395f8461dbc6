// From what the user wrote to what is in the mesh, with a suggestion where it is not.

import type { Called } from '../../explain/called.ts';
import type { MeshState, NamespacedName, Service, Workload } from '../../model/mesh.ts';
import { nearestName } from '../../model/nearest.ts';
import { CliError } from '../errors.ts';

/** What to look for; without a kind, a Service goes before a pod of the same name, because Services are what is called. */
export interface CalledName {
  readonly kind: 'service' | 'pod' | undefined;
  readonly name: NamespacedName;
}

/** @throws CliError ERR_USAGE */
export function findCaller(state: MeshState, name: NamespacedName): Workload {
  const workload = state.workloads.get(name);
  if (workload !== undefined) return workload;
  if (state.services.has(name)) {
    const pods = podsOf(state, state.services.get(name));
    throw new CliError('ERR_USAGE', `${name} is a Service; a call comes from a pod`, {
      hint: pods.length === 0 ? 'it has no pod of the mesh' : `its pods: ${pods.join(', ')}`,
    });
  }
  throw missing('pod', name, [...state.workloads.keys()]);
}

/** @throws CliError ERR_USAGE */
export function findCalled(state: MeshState, { kind, name }: CalledName, port: number | undefined): Called {
  const service = kind === 'pod' ? undefined : state.services.get(name);
  const workload = kind === 'service' ? undefined : state.workloads.get(name);
  if (service !== undefined) {
    return { kind: 'service', service, port: findPort(`Service ${name}`, service.ports, port) };
  }
  if (workload !== undefined) {
    return { kind: 'pod', workload, port: findPort(`pod ${name}`, workload.ports, port) };
  }
  const candidates = [
    ...(kind === 'pod' ? [] : state.services.keys()),
    ...(kind === 'service' ? [] : state.workloads.keys()),
  ];
  throw missing(kind === undefined ? 'Service or pod' : kind === 'pod' ? 'pod' : 'Service', name, candidates);
}

function findPort<P extends { readonly port: number }>(
  what: string,
  ports: readonly P[],
  wanted: number | undefined,
): P {
  const listed = ports.map(({ port }) => port).join(', ');
  const [only, second] = ports;
  if (only === undefined) throw new CliError('ERR_USAGE', `${what} has no TCP port, so nobody can call it`);
  if (wanted === undefined) {
    if (second === undefined) return only;
    throw new CliError('ERR_USAGE', `${what} has several ports: ${listed}`, {
      hint: 'say which one is called with --port',
    });
  }
  const found = ports.find(({ port }) => port === wanted);
  if (found !== undefined) return found;
  throw new CliError('ERR_USAGE', `${what} has no port ${wanted}`, { hint: `it has: ${listed}` });
}

function podsOf(state: MeshState, service: Service | undefined): readonly NamespacedName[] {
  const named = (service?.ports ?? []).flatMap(({ endpoints }) => endpoints.map(({ workload }) => workload));
  return [...new Set(named)].filter(
    (name) => name !== undefined && state.workloads.has(name),
  ) as NamespacedName[];
}

/** A list of everything helps while it fits on a line or two. */
const maxListed = 12;

function missing(what: string, name: NamespacedName, known: readonly NamespacedName[]): CliError {
  const message = `there is no ${what} ${name} in the manifests`;
  const names = [...new Set(known)].sort();
  const near = nearest(name, names);
  if (near !== undefined) return new CliError('ERR_USAGE', message, { hint: `did you mean ${near}?` });
  if (names.length === 0) return new CliError('ERR_USAGE', message, { hint: 'there is none at all' });
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : '';
  return new CliError('ERR_USAGE', message, {
    hint: `there is: ${names.slice(0, maxListed).join(', ')}${more}`,
  });
}

/** A typo in either half, or the right name in another namespace. */
function nearest(name: NamespacedName, known: readonly NamespacedName[]): NamespacedName | undefined {
  const [namespace = '', own = ''] = name.split('/');
  const elsewhere = known.find((each) => each.endsWith(`/${own}`));
  if (elsewhere !== undefined) return elsewhere;
  const neighbours = known.filter((each) => each.startsWith(`${namespace}/`));
  const typo = nearestName(
    own,
    neighbours.map((each) => each.slice(namespace.length + 1)),
  );
  if (typo !== undefined) return `${namespace}/${typo}`;
  return nearestName(name, known) as NamespacedName | undefined;
}
