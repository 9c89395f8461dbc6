// A question, and what both ways to answer it need.

import {
  type Endpoint,
  type MeshState,
  namespacedName,
  type Service,
  type ServicePort,
  type Workload,
  type WorkloadPort,
} from '../model/mesh.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import type { RequestAttributes } from '../policy/authorize/request.ts';
import { serviceHost } from '../xds/translate/names.ts';
import type { Called } from './called.ts';
import type { ExplainedToken, Route, Target } from './explanation.ts';
import { type AskedRequest, attributesOf } from './request.ts';
import type { Judge } from './target.ts';

export interface Question extends Judge {
  readonly caller: Workload;
  readonly called: Called;
  readonly asked: AskedRequest;
  /** What the token is, when there is one and it can be verified. */
  readonly token: ExplainedToken | undefined;
}

export interface Answer {
  readonly route: Route;
  readonly targets: readonly Target[];
  readonly notes: readonly string[];
}

/** A port of a Service: what a proxy calls. */
interface Way {
  readonly service: Service;
  readonly port: ServicePort;
}

/** A pod is called through a Service that leads to it. */
export function wayTo(state: MeshState, called: Called): Way | undefined {
  if (called.kind === 'service') return { service: called.service, port: called.port };
  for (const service of state.services.values()) {
    const port = service.ports.find(({ endpoints }) => endpoints.some((each) => leadsTo(each, called)));
    if (port !== undefined) return { service, port };
  }
  return undefined;
}

/** Whether an endpoint is this port of this pod. */
export function leadsTo(endpoint: Endpoint, called: Called & { kind: 'pod' }): boolean {
  return endpoint.workload === namespacedName(called.workload) && endpoint.port === called.port.port;
}

/** @param principal empty when the caller shows no certificate */
export function attributes(
  { state, caller, called, asked }: Question,
  { port, protocol }: Pick<WorkloadPort, 'port' | 'protocol'>,
  principal = identityOf(state, caller),
): RequestAttributes {
  return attributesOf(asked, { principal, port, isTcp: protocol === 'tcp', host: hostOf(state, called) });
}

/** Applications leave the port out where it is that of HTTP. */
const httpPort = 80;

function hostOf(state: MeshState, called: Called): string {
  const way = wayTo(state, called);
  if (way !== undefined)
    return way.port.port === httpPort
      ? serviceHost(way.service)
      : `${serviceHost(way.service)}:${way.port.port}`;
  const [address = ''] = called.kind === 'pod' ? called.workload.addresses : [];
  return `${address}:${called.port.port}`;
}

/** SPIFFE ID. */
export function identityOf(state: MeshState, workload: Workload): string {
  return workloadSpiffeId(state.trustDomain, workload.namespace, workload.serviceAccount);
}

/** A target of which nothing is known but where it is. */
export function bare(
  state: MeshState,
  workload: Workload | undefined,
  address: string,
  port: number,
): Pick<Target, 'workload' | 'identity' | 'address' | 'port' | 'policies' | 'audit'> {
  return {
    workload: workload === undefined ? undefined : namespacedName(workload),
    identity: workload === undefined ? undefined : identityOf(state, workload),
    address,
    port,
    policies: [],
    audit: [],
  };
}

/** To something that is not in the mesh: nobody there is asked. */
export function plaintextTarget(state: MeshState, { address, port, workload: name }: Endpoint): Target {
  const workload = name === undefined ? undefined : state.workloads.get(name);
  return { ...bare(state, workload, address, port), ...allowedInPlaintext };
}

export const allowedInPlaintext = {
  allowed: true,
  reason: undefined,
  decidedBy: 'nobody',
  connection: { encryption: 'plaintext' },
} as const satisfies Partial<Target>;
