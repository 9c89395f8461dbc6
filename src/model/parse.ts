// One manifest → one resource, or what is wrong with it. Nothing here looks at a second manifest.

import type { QuantumSecurityPolicySpec } from '../gen/crds/QuantumSecurityPolicy.ts';
import type { QuantumServiceSpec } from '../gen/crds/QuantumService.ts';
import { endpointSlice, type Metadata, metadata, pod, service } from './core-kinds.ts';
import type { CustomResourceValidator } from './crd-validator.ts';
import { judgeKind, type MeshKind } from './kinds.ts';
import { type Issue, ownField } from './manifest.ts';
import { escapeInvisible, type ObjectReference } from './problem.ts';
import { readEndpointSlice, readPod, readService } from './read-core.ts';
import { readWith } from './read-with.ts';
import type { Identity, Resource } from './resource.ts';

export interface Parsed {
  /** Present when nothing in the manifest is an error. */
  readonly resource: Resource | undefined;
  /** Its name, as far as it could be read; for messages. */
  readonly object: ObjectReference | undefined;
  readonly issues: readonly Issue[];
  /** Set when the kind is not one of the mesh's. */
  readonly foreign: { readonly apiVersion: string; readonly kind: string } | undefined;
}

/** Parses manifests; remembers by identity what it parsed, so that an unchanged manifest yields the same resource. */
export type ManifestParser = (content: unknown) => Parsed;

/** What is wrong with a policy that its schema cannot say, paths from the manifest's root. Must not throw. */
export type PolicyCheck = (spec: QuantumSecurityPolicySpec) => readonly Issue[];

/** Never throws, whatever `content` is. */
export function createManifestParser(
  validate: CustomResourceValidator,
  checkPolicy: PolicyCheck = () => [],
): ManifestParser {
  const remembered = new WeakMap<object, Parsed>();
  return (content) => {
    if (typeof content !== 'object' || content === null) return parse(content, validate, checkPolicy);
    const known = remembered.get(content) ?? parse(content, validate, checkPolicy);
    remembered.set(content, known);
    return known;
  };
}

/** No resource is nested nearly as deep; what is deeper would only exhaust the stack of whoever walks it. */
const maxDepth = 64;

function isWithinDepth(value: unknown, depth = maxDepth): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((child) => isWithinDepth(child, depth - 1));
}

function parse(content: unknown, validate: CustomResourceValidator, checkPolicy: PolicyCheck): Parsed {
  if (!isWithinDepth(content)) {
    const message = `nested deeper than ${maxDepth} levels; no resource of the mesh is`;
    const issue: Issue = { severity: 'error', code: 'InvalidObject', path: [], message };
    return { resource: undefined, object: undefined, issues: [issue], foreign: undefined };
  }
  const judged = judgeKind(content);
  if (judged.verdict === 'refused') {
    return { resource: undefined, object: undefined, issues: [judged.issue], foreign: undefined };
  }
  if (judged.verdict === 'foreign') {
    const { apiVersion, kind } = judged;
    return { resource: undefined, object: undefined, issues: [], foreign: { apiVersion, kind } };
  }
  const { kind } = judged;
  const meta = readWith(metadata, ownField(content, 'metadata') ?? {}, ['metadata']);
  const body = readBody(kind, content, validate, checkPolicy);
  const issues = [...meta.issues, ...body.issues];
  const object = referenceOf(kind, content);
  const bad =
    meta.value === undefined || body.make === undefined || issues.some((each) => each.severity === 'error');
  return { resource: bad ? undefined : body.make(identify(meta.value)), object, issues, foreign: undefined };
}

/** With Kubernetes' default namespace. */
function identify(meta: Metadata): Identity {
  const namespace = meta.namespace ?? 'default';
  // A namespace has no dot, so that this stands for one pod only.
  const uid = meta.uid ?? `${namespace}.${meta.name}`;
  return { namespace, name: meta.name, uid, labels: sortedByKey(meta.labels ?? {}) };
}

interface Body {
  readonly make: ((identity: Identity) => Resource) | undefined;
  readonly issues: readonly Issue[];
}

function readBody(
  kind: MeshKind,
  content: unknown,
  validate: CustomResourceValidator,
  checkPolicy: PolicyCheck,
): Body {
  switch (kind) {
    case 'Pod':
      return made(readWith(pod, content), readPod);
    case 'Service':
      return made(readWith(service, content), readService);
    case 'EndpointSlice':
      return made(readWith(endpointSlice, content), readEndpointSlice);
    case 'ServiceAccount':
      return { issues: [], make: ({ namespace, name }) => ({ kind, namespace, name }) };
    case 'QuantumService': {
      const { spec, issues } = validate(kind, content);
      return {
        issues,
        make: ({ namespace, name }) => ({ kind, namespace, name, spec: spec as QuantumServiceSpec }),
      };
    }
    case 'QuantumSecurityPolicy': {
      const { spec: valid, issues } = validate(kind, content);
      const spec = valid as QuantumSecurityPolicySpec;
      return {
        // Only what has the right shape can be looked at more closely.
        issues: issues.length > 0 ? issues : checkPolicy(spec).map(readable),
        make: ({ namespace, name }) => ({ kind, namespace, name, spec }),
      };
    }
  }
}

/** A check may quote what it found. */
function readable(issue: Issue): Issue {
  return { ...issue, message: escapeInvisible(issue.message) };
}

function made<T>(
  read: { readonly value: T | undefined; readonly issues: readonly Issue[] },
  make: (identity: Identity, value: T) => Resource,
): Body {
  const { value, issues } = read;
  return { issues, make: value === undefined ? undefined : (identity) => make(identity, value) };
}

function referenceOf(kind: MeshKind, content: unknown): ObjectReference {
  const meta = ownField(content, 'metadata');
  const text = (value: unknown, otherwise: string) =>
    typeof value === 'string' && /^[\w.-]{1,253}$/.test(value) ? value : otherwise;
  return {
    kind,
    namespace: text(ownField(meta, 'namespace'), 'default'),
    name: text(ownField(meta, 'name'), '?'),
  };
}

function sortedByKey(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.freeze(Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))));
}
