// Whom a call is for.

import {
  type NamespacedName,
  namespacedName,
  type Service,
  type ServicePort,
  type Workload,
  type WorkloadPort,
} from '../model/mesh.ts';

/** What is called: a Service at one of its ports, or one pod at one of its own. */
export type Called =
  | { readonly kind: 'service'; readonly service: Service; readonly port: ServicePort }
  | { readonly kind: 'pod'; readonly workload: Workload; readonly port: WorkloadPort };

/** `<namespace>/<name>` of what is called. */
export function calledName(called: Called): NamespacedName {
  return namespacedName(called.kind === 'service' ? called.service : called.workload);
}
