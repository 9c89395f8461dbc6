// What is known of kinds that admission does not judge: that they make no pods, that there are none of that name, or nothing at all.

import { judgedVersionOf } from '../../admission/pod/pod-of.ts';
import { nearestName } from '../../model/nearest.ts';
import { quote } from '../../model/problem.ts';

/** The groups of Kubernetes whose names have no dot, as those of all others have (apiextensions.k8s.io, validation of group names). */
const plainGroups: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['Binding', 'ComponentStatus', 'ConfigMap', 'Endpoints', 'Event', 'LimitRange', 'Namespace', 'Node'],
    ...['PersistentVolume', 'PersistentVolumeClaim', 'Pod', 'PodTemplate', 'ReplicationController'],
    ...['ResourceQuota', 'Secret', 'Service', 'ServiceAccount'],
  ],
  apps: ['ControllerRevision', 'DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'],
  batch: ['CronJob', 'Job'],
  autoscaling: ['HorizontalPodAutoscaler', 'Scale'],
  policy: ['Eviction', 'PodDisruptionBudget', 'PodSecurityPolicy'],
  extensions: ['DaemonSet', 'Deployment', 'Ingress', 'NetworkPolicy', 'PodSecurityPolicy', 'ReplicaSet'],
};

/** Others of Kubernetes, and ours: nothing in them makes pods. */
const dottedGroups: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy.networking.k8s.io',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'security.quantum.io',
  'storage.k8s.io',
]);

export type KindKnowledge =
  | { readonly makesPods: 'no' | 'unknown' }
  /** An API server would not take it; to pass over it would look like a yes. */
  | { readonly mistake: string; readonly hint: string };

/** @param kind one that admission does not judge by this group and version */
export function knowledgeOf(group: string, kind: string): KindKnowledge {
  const plain = Object.hasOwn(plainGroups, group) ? plainGroups[group] : undefined;
  const isOurs = plain !== undefined || dottedGroups.has(group);
  const version = judgedVersionOf(kind);
  if (version !== undefined && isOurs) {
    return { mistake: 'of this apiVersion it is not judged', hint: `write apiVersion: ${version}` };
  }
  if (plain?.includes(kind) === false) {
    const near = nearestName(kind, plain);
    return {
      mistake: `there is no kind ${quote(kind)} in its apiVersion, so that nothing of it could be judged`,
      hint: near === undefined ? `there are ${plain.join(', ')}` : `did you mean ${near}?`,
    };
  }
  if (!isOurs && !group.includes('.')) {
    const near = nearestName(group, Object.keys(plainGroups));
    return {
      mistake: `there is no group ${quote(group)} of APIs, so that nothing of it could be judged`,
      hint: near === undefined ? 'see its apiVersion' : `did you mean apiVersion: ${near}/…?`,
    };
  }
  return { makesPods: isOurs ? 'no' : 'unknown' };
}
