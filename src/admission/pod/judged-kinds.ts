// What is judged: pods, and what makes pods from a template. The rules of the webhook configurations ask about these and no others.

interface JudgedKindForm {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** In paths, and in the rules of webhook configurations. */
  readonly resource: string;
  /** What changes a pod; `scale`, `status` and the like do not. */
  readonly subResources: readonly string[];
  /** From the object to the pod, or to its template. */
  readonly path: readonly string[];
}

const template = { subResources: [], path: ['spec', 'template'] } as const;
const core = { group: '', version: 'v1' } as const;
const apps = { group: 'apps', version: 'v1', ...template } as const;
const batch = { group: 'batch', version: 'v1', ...template } as const;

export const judgedKinds = [
  { ...core, kind: 'Pod', resource: 'pods', subResources: ['ephemeralcontainers', 'resize'], path: [] },
  { ...core, ...template, kind: 'ReplicationController', resource: 'replicationcontrollers' },
  { ...apps, kind: 'Deployment', resource: 'deployments' },
  { ...apps, kind: 'ReplicaSet', resource: 'replicasets' },
  { ...apps, kind: 'StatefulSet', resource: 'statefulsets' },
  { ...apps, kind: 'DaemonSet', resource: 'daemonsets' },
  { ...batch, kind: 'Job', resource: 'jobs' },
  { ...batch, kind: 'CronJob', resource: 'cronjobs', path: ['spec', 'jobTemplate', 'spec', 'template'] },
] as const satisfies readonly JudgedKindForm[];

export type JudgedKind = (typeof judgedKinds)[number];
