// What a cold start depends on, out of the objects of a cluster: namespaces, what makes pods, Services, webhooks. Everything else
// is passed over.

import { z } from 'zod';
import { isRecord, ownField } from '../../model/manifest.ts';
import { readWith } from '../../model/read-with.ts';
import type { LabelSelector } from '../../model/selector.ts';
import { AdmissionError } from '../errors.ts';
import { list, stringMap } from '../pod/fields.ts';
import { podOf } from '../pod/pod-of.ts';
import type { Pod } from '../pod/read-pod.ts';
import { ClusterObjectError } from './errors.ts';

export interface ClusterObjects {
  /** Labels by name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly webhooks: readonly Webhook[];
}

export type Labels = Readonly<Record<string, string>>;

/** What makes pods again when all of them are gone. */
export interface Workload {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The template. */
  readonly pod: Pod;
  readonly priorityClass: string | undefined;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Of the Service itself, in the network of Services. */
  readonly addresses: readonly string[];
  /** Of UDP. */
  readonly udpPorts: readonly number[];
  /** Empty: it selects no pods. */
  readonly selector: Labels;
}

/** One webhook of a configuration. */
export interface Webhook {
  readonly configuration: string;
  readonly name: string;
  readonly failsClosed: boolean;
  /** Whether the API server asks it before a pod is made. */
  readonly judgesPods: boolean;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  /** Where it is served; undefined: outside of the cluster, or at an address that says nothing about where. */
  readonly service: { readonly namespace: string; readonly name: string } | undefined;
}

const metadata = z.object({ name: z.string(), namespace: z.string().nullish(), labels: stringMap });
const named = z.object({ metadata });
const words = list(z.string());

const selector = z
  .object({
    matchLabels: stringMap,
    matchExpressions: list(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: words,
      }),
    ),
  })
  .nullish();

const service = z.object({
  metadata,
  spec: z
    .object({
      selector: stringMap,
      clusterIP: z.string().nullish(),
      clusterIPs: words,
      ports: list(z.object({ port: z.number(), protocol: z.string().nullish() })),
    })
    .nullish(),
});

const configuration = z.object({
  metadata,
  webhooks: list(
    z.object({
      name: z.string(),
      // The API server's default: `Fail` in admissionregistration.k8s.io/v1.
      failurePolicy: z.enum(['Fail', 'Ignore']).nullish(),
      namespaceSelector: selector,
      objectSelector: selector,
      clientConfig: z
        .object({ service: z.object({ namespace: z.string(), name: z.string() }).nullish() })
        .nullish(),
      rules: list(z.object({ apiGroups: words, resources: words, operations: words })),
    }),
  ),
});

/** What makes pods by itself, without another object that made it. */
const workloadKinds = ['DaemonSet', 'Deployment', 'ReplicationController', 'StatefulSet'];
const webhookKinds = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'];

/**
 * Of objects that are the same one the last counts: what a change would come to can be seen by giving it after what there is.
 * @throws ClusterObjectError for what the API server would not have taken
 */
export function readClusterObjects(objects: readonly unknown[]): ClusterObjects {
  const namespaces = new Map<string, Labels>();
  const workloads: Workload[] = [];
  const services: Service[] = [];
  const webhooks: Webhook[] = [];
  for (const [object, kind] of lastOnes(objects)) {
    if (kind === 'Namespace') {
      const { name, labels } = read(named, object, kind).metadata;
      // The API server writes it, and a file from elsewhere may not have it.
      namespaces.set(name, { ...labels, 'kubernetes.io/metadata.name': name });
    } else if (workloadKinds.includes(kind)) {
      workloads.push(readWorkload(object, kind));
    } else if (kind === 'Service') {
      services.push(readService(object, kind));
    } else if (webhookKinds.includes(kind)) {
      webhooks.push(...readWebhooks(object, kind));
    }
  }
  return { namespaces, workloads, services, webhooks };
}

/** With their kinds. */
function lastOnes(objects: readonly unknown[]): Iterable<readonly [object: unknown, kind: string]> {
  const found = new Map<string, readonly [unknown, string]>();
  for (const object of objects) {
    const kind = kindOf(object);
    const metadata = ownField(object, 'metadata');
    const [namespace, name] = [ownField(metadata, 'namespace'), ownField(metadata, 'name')];
    if (kind !== '') found.set(JSON.stringify([kind, namespace || 'default', name]), [object, kind]);
  }
  return found.values();
}

/** Without the group: a kind of the same name of another group is none of these. */
function kindOf(object: unknown): string {
  const [group = '', kind] = [ownField(object, 'apiVersion'), ownField(object, 'kind')];
  const isKnown = ['v1', 'apps/v1', 'admissionregistration.k8s.io/v1'].some((each) => each === group);
  return isKnown && typeof kind === 'string' ? kind : '';
}

function read<T>(schema: z.ZodType<T>, object: unknown, kind: string): T {
  const { value, issues } = readWith(schema, object);
  if (value !== undefined) return value;
  throw refused(object, kind, issues.map(({ message }) => message).join('; '));
}

function refused(object: unknown, kind: string, problems: string): ClusterObjectError {
  const name = ownField(ownField(object, 'metadata'), 'name');
  const shown = typeof name === 'string' ? name : 'without a name';
  return new ClusterObjectError(`${kind} ${shown}: ${problems}`);
}

function readService(object: unknown, kind: string): Service {
  const { metadata: found, spec } = read(service, object, kind);
  const addresses = spec?.clusterIPs.length ? spec.clusterIPs : [spec?.clusterIP ?? ''];
  return {
    ...{ ...place(found), name: found.name, labels: found.labels, selector: spec?.selector ?? {} },
    addresses: addresses.filter((each) => each !== '' && each !== 'None'),
    udpPorts: (spec?.ports ?? []).filter(({ protocol }) => protocol === 'UDP').map(({ port }) => port),
  };
}

function place({ namespace }: z.infer<typeof metadata>): { readonly namespace: string } {
  return { namespace: namespace || 'default' };
}

function readWorkload(object: unknown, kind: string): Workload {
  const found = read(named, object, kind).metadata;
  const [group, version] = kind === 'ReplicationController' ? ['', 'v1'] : ['apps', 'v1'];
  const { pod, object: template } = templateOf(object, { group, version, kind });
  const priorityClass = ownField(ownField(template, 'spec'), 'priorityClassName');
  return {
    ...{ kind, ...place(found), name: found.name, pod },
    priorityClass: typeof priorityClass === 'string' ? priorityClass : undefined,
  };
}

function templateOf(object: unknown, kind: Parameters<typeof podOf>[0]['kind']): ReturnType<typeof podOf> {
  try {
    return podOf({ kind, subResource: undefined }, isRecord(object) ? object : {});
  } catch (error) {
    if (error instanceof AdmissionError) throw refused(object, kind.kind, error.message);
    throw error;
  }
}

function readWebhooks(object: unknown, kind: string): readonly Webhook[] {
  const found = read(configuration, object, kind);
  return found.webhooks.map((webhook) => ({
    configuration: found.metadata.name,
    name: webhook.name,
    failsClosed: webhook.failurePolicy !== 'Ignore',
    judgesPods: webhook.rules.some(coversNewPods),
    namespaceSelector: webhook.namespaceSelector ?? undefined,
    objectSelector: webhook.objectSelector ?? undefined,
    service: webhook.clientConfig?.service ?? undefined,
  }));
}

/** `pods/*` are their subresources alone (RuleWithOperations of admissionregistration.k8s.io/v1). */
function coversNewPods(rule: Record<'apiGroups' | 'resources' | 'operations', readonly string[]>): boolean {
  const has = (all: readonly string[], ...any: readonly string[]) => any.some((each) => all.includes(each));
  return (
    has(rule.apiGroups, '', '*') &&
    has(rule.resources, 'pods', '*', '*/*') &&
    has(rule.operations, 'CREATE', '*')
  );
}
