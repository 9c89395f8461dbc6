// All manifests parsed and filed by kind and name, with their problems gathered.

import type { Issue, Manifest } from './manifest.ts';
import { type NamespacedName, namespacedName } from './mesh.ts';
import type { ManifestParser } from './parse.ts';
import type { Problem } from './problem.ts';
import type {
  EndpointSliceResource,
  PodResource,
  PolicyResource,
  QuantumServiceResource,
  Resource,
  ServiceAccountResource,
  ServiceResource,
} from './resource.ts';

/** A resource and the manifest that it came from. */
export interface Entry<R extends Resource = Resource> {
  readonly key: NamespacedName;
  readonly resource: R;
  readonly manifest: Manifest;
}

export type Entries<R extends Resource> = ReadonlyMap<NamespacedName, Entry<R>>;

export interface Collected {
  readonly pods: Entries<PodResource>;
  readonly services: Entries<ServiceResource>;
  readonly slices: Entries<EndpointSliceResource>;
  readonly serviceAccounts: Entries<ServiceAccountResource>;
  readonly quantumServices: Entries<QuantumServiceResource>;
  readonly policies: Entries<PolicyResource>;
}

export interface IgnoredKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export class ProblemList {
  readonly problems: Problem[] = [];

  add(entry: Entry, issue: Issue): void {
    const { kind, namespace, name } = entry.resource;
    this.addFor(entry.manifest, { kind, namespace, name }, issue);
  }

  addFor(manifest: Manifest, object: Problem['object'], { severity, code, message, path }: Issue): void {
    this.problems.push({ severity, code, message, object, origin: manifest.locate?.(path) });
  }
}

/** Every map comes out sorted by name, so that nothing downstream depends on the order of files. */
export function collect(
  manifests: readonly Manifest[],
  parse: ManifestParser,
  problems: ProblemList,
): { readonly collected: Collected; readonly ignored: readonly IgnoredKind[] } {
  const byKind = new Map<string, Map<NamespacedName, Entry>>();
  const ignored = new Map<string, IgnoredKind>();
  for (const manifest of manifests) {
    const { resource, object, issues, foreign } = parse(manifest.content);
    for (const issue of issues) problems.addFor(manifest, object, issue);
    if (foreign !== undefined) ignored.set(`${foreign.apiVersion} ${foreign.kind}`, foreign);
    if (resource !== undefined) file(byKind, { key: namespacedName(resource), resource, manifest }, problems);
  }
  const sorted = <K extends Resource['kind']>(kind: K) =>
    new Map(
      [...(byKind.get(kind) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)) as [
        NamespacedName,
        Entry<Extract<Resource, { kind: K }>>,
      ][],
    );
  return {
    collected: {
      pods: sorted('Pod'),
      services: sorted('Service'),
      slices: sorted('EndpointSlice'),
      serviceAccounts: sorted('ServiceAccount'),
      quantumServices: sorted('QuantumService'),
      policies: sorted('QuantumSecurityPolicy'),
    },
    ignored: [...ignored.values()],
  };
}

function file(byKind: Map<string, Map<NamespacedName, Entry>>, entry: Entry, problems: ProblemList): void {
  const { kind } = entry.resource;
  const named = byKind.get(kind) ?? new Map<NamespacedName, Entry>();
  byKind.set(kind, named);
  const first = named.get(entry.key);
  if (first === undefined) {
    named.set(entry.key, entry);
    return;
  }
  const other = first.manifest.locate?.(['metadata', 'name']);
  const place = other === undefined ? '' : ` (at ${other.file}:${other.line}:${other.column})`;
  problems.add(entry, {
    severity: 'error',
    code: 'DuplicateName',
    path: ['metadata', 'name'],
    message: `there is another ${kind} of this name${place}; rename or remove one of them`,
  });
}
