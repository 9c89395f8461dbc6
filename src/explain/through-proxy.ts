// A call from a workload in the mesh: where its own proxy sends it, and what they say there.

import type { Endpoint, MeshState, ServicePort, Workload } from '../model/mesh.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { type Called, calledName } from './called.ts';
import type { Target } from './explanation.ts';
import { type Answer, attributes, bare, leadsTo, plaintextTarget, type Question, wayTo } from './question.ts';
import { type RoutedCall, routeOf } from './route.ts';
import { judgeInMesh } from './target.ts';

/** @param policy the effective one of the caller */
export function throughProxy(question: Question, policy: EffectivePolicy): Answer {
  const { state, caller, called } = question;
  const way = wayTo(state, called);
  if (way === undefined) {
    const reason = 'no Service of the mesh has this host and port';
    const note = `no Service leads to port ${called.port.port} of ${calledName(called)}; a proxy only calls Services`;
    return { route: { kind: 'refused', status: 502, reason }, targets: [], notes: [note] };
  }
  const routed = routeOf(state, caller, policy, way.service, way.port);
  const { route } = routed;
  if (route.kind === 'refused') return { route, targets: [], notes: [] };
  const endpoints = reachedBy(routed, called);
  const targets =
    route.kind === 'plaintext'
      ? endpoints.map((endpoint) => plaintextTarget(state, endpoint))
      : endpoints.flatMap((endpoint) => meshTarget(question, routed, endpoint));
  return { route, targets, notes: leftOut(way.port, routed, called) };
}

function reachedBy({ reachable }: RoutedCall, called: Called): readonly Endpoint[] {
  const { reachability } = reachable;
  if (reachability.kind === 'unreachable') return [];
  return called.kind === 'pod'
    ? reachability.endpoints.filter((endpoint) => leadsTo(endpoint, called))
    : reachability.endpoints;
}

/** What is mixed into a meshed Service and yet never called. */
function leftOut(port: ServicePort, { route, reachable }: RoutedCall, called: Called): readonly string[] {
  if (route.kind !== 'mesh' || reachable.reachability.kind !== 'mesh') return [];
  const reached = new Set(reachable.reachability.endpoints.map(({ address }) => address));
  const asked =
    called.kind === 'pod' ? port.endpoints.filter((each) => leadsTo(each, called)) : port.endpoints;
  const others = asked.filter(({ address }) => !reached.has(address));
  return others.map(
    ({ address, workload }) =>
      `${workload ?? address} is not called: the Service is reached through its pods in the mesh only`,
  );
}

function meshTarget(question: Question, { reachable }: RoutedCall, endpoint: Endpoint): readonly Target[] {
  const { state } = question;
  const workload = endpoint.workload === undefined ? undefined : state.workloads.get(endpoint.workload);
  const port = workload?.ports.find((each) => each.port === endpoint.port);
  if (workload === undefined || reachable.reachability.kind !== 'mesh') return [];
  if (port === undefined) return [unservedTarget(state, workload, endpoint)];
  const serverIdentities = [
    ...new Set(reachable.reachability.endpoints.map(({ spiffeId }) => spiffeId)),
  ].sort();
  const target = { workload, address: endpoint.address, port, serverIdentities };
  return [judgeInMesh(question, target, attributes(question, port))];
}

/** Ports of the proxy itself, to which no Service leads anybody. */
function unservedTarget(state: MeshState, workload: Workload, { address, port }: Endpoint): Target {
  return {
    ...bare(state, workload, address, port),
    allowed: false,
    reason: `its proxy does not serve port ${port}`,
    decidedBy: 'envoy',
    connection: { encryption: 'refused' },
  };
}
