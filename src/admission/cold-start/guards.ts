// Which webhooks have to answer before a pod can be made, and whose pods have to run before a webhook can answer.

import { labelsMatch, selectorMatches } from '../../model/selector.ts';
import type { ClusterObjects, Service, Webhook, Workload } from './cluster-objects.ts';

/** A webhook without which pods are not made. */
export type Guard = Webhook & { readonly service: NonNullable<Webhook['service']> };

/** Those that the cluster itself serves: others do not wait for its pods. */
export function guardsOf({ webhooks }: ClusterObjects): readonly Guard[] {
  return webhooks.filter(
    (webhook): webhook is Guard => webhook.failsClosed && webhook.judgesPods && webhook.service !== undefined,
  );
}

/** Conditions in CEL (`matchConditions`) are taken to hold: what they leave out is not known here. */
export function isGuarded(
  { namespace, pod }: Workload,
  guard: Guard,
  { namespaces }: ClusterObjects,
): boolean {
  const ofNamespace = namespaces.get(namespace) ?? { 'kubernetes.io/metadata.name': namespace };
  return (
    selectorMatches(guard.namespaceSelector, ofNamespace) &&
    selectorMatches(guard.objectSelector, pod.metadata.labels)
  );
}

export function serversOf(guard: Guard, objects: ClusterObjects): readonly Workload[] {
  const { namespace, name } = guard.service;
  const service = objects.services.find((each) => each.namespace === namespace && each.name === name);
  return service === undefined ? [] : podsBehind(service, objects);
}

/** What makes the pods that a Service sends to. */
export function podsBehind(
  { namespace, selector }: Service,
  { workloads }: ClusterObjects,
): readonly Workload[] {
  if (Object.keys(selector).length === 0) return [];
  return workloads.filter(
    (each) => each.namespace === namespace && labelsMatch(selector, each.pod.metadata.labels),
  );
}
