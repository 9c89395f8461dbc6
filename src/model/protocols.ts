// What is spoken on each port, agreed end to end: the caller's proxy goes by the Service port, the callee's by the
// workload port, so the two must never disagree.

import { statedProtocol } from './app-protocol.ts';
import type { Entries, ProblemList } from './collect.ts';
import type { AppProtocol, NamespacedName } from './mesh.ts';
import { compareText } from './problem.ts';
import type { QuantumServiceResource } from './resource.ts';
import type { ServicePortTargets } from './targets.ts';

export interface Protocols {
  ofService(service: NamespacedName, port: number): AppProtocol;
  ofWorkload(pod: NamespacedName, port: number): AppProtocol;
}

/**
 * Service ports and workload ports that lead to each other form a group; what the Services of a group say holds for all of
 * it. Where they contradict each other the group is `tcp`: bytes pass, and rules about methods and paths allow nothing.
 */
export function agreeOnProtocols(
  ports: readonly ServicePortTargets[],
  quantumServices: Entries<QuantumServiceResource>,
  problems: ProblemList,
): Protocols {
  const groups = new Groups();
  for (const { service, port, targets } of ports) {
    const id = serviceId(service.key, port.port);
    for (const target of targets) groups.join(id, workloadId(target.pod, target.port));
  }
  const statements = Map.groupBy(
    ports.flatMap((each) => {
      const protocol = statedBy(each, quantumServices);
      return protocol === undefined ? [] : [{ ...each, protocol }];
    }),
    ({ service, port }) => groups.find(serviceId(service.key, port.port)),
  );
  const agreed = new Map<string, AppProtocol>();
  for (const [group, said] of statements) {
    const [first, ...others] = said;
    if (first === undefined) continue;
    const unanimous = others.every((other) => other.protocol === first.protocol);
    agreed.set(group, unanimous ? first.protocol : 'tcp');
    if (!unanimous) reportConflict(said, problems);
  }
  const of = (id: string) => agreed.get(groups.find(id)) ?? 'tcp';
  return {
    ofService: (service, port) => of(serviceId(service, port)),
    ofWorkload: (pod, port) => of(workloadId(pod, port)),
  };
}

function statedBy(
  { service, port }: ServicePortTargets,
  quantumServices: Entries<QuantumServiceResource>,
): AppProtocol | undefined {
  const declared = quantumServices.get(service.key)?.resource.spec.ports ?? [];
  const additional = declared.find((each) => each.port === port.port)?.appProtocol;
  return statedProtocol(port.name, [port.appProtocol, additional]);
}

type Statement = ServicePortTargets & { readonly protocol: AppProtocol };

function reportConflict(said: readonly Statement[], problems: ProblemList): void {
  const [first] = said.toSorted(
    (a, b) => compareText(a.service.key, b.service.key) || a.port.port - b.port.port,
  );
  if (first === undefined) return;
  const list = said.map(({ service, port, protocol }) => `${service.key}:${port.port} says ${protocol}`);
  problems.add(first.service, {
    severity: 'warning',
    code: 'ProtocolConflict',
    path: ['spec', 'ports'],
    message: `Services disagree about the same port of a pod (${list.sort().join(', ')}); it is treated as tcp. Give all of them the same appProtocol`,
  });
}

const serviceId = (service: NamespacedName, port: number) => `service ${service}:${port}`;
const workloadId = (pod: NamespacedName, port: number) => `pod ${pod}:${port}`;

/** Disjoint sets with path halving. */
class Groups {
  readonly #parent = new Map<string, string>();

  find(id: string): string {
    let current = id;
    for (;;) {
      const parent = this.#parent.get(current) ?? current;
      if (parent === current) return current;
      const grandparent = this.#parent.get(parent) ?? parent;
      this.#parent.set(current, grandparent);
      current = grandparent;
    }
  }

  join(a: string, b: string): void {
    this.#parent.set(this.find(b), this.find(a));
  }
}
