// Which kinds the mesh is made of.

import { type Issue, isRecord, ownField } from './manifest.ts';
import { nearestName } from './nearest.ts';
import { quote } from './problem.ts';

export type MeshKind =
  | 'Pod'
  | 'Service'
  | 'EndpointSlice'
  | 'ServiceAccount'
  | 'QuantumService'
  | 'QuantumSecurityPolicy';

const apiVersions: Readonly<Record<MeshKind, string>> = {
  Pod: 'v1',
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  ServiceAccount: 'v1',
  QuantumService: 'quantum.io/v1',
  QuantumSecurityPolicy: 'security.quantum.io/v1',
};

/** Groups in which every kind is Trellis's own: what is unknown there is a mistake, never somebody else's. */
const ownGroups: readonly string[] = ['quantum.io', 'security.quantum.io'];

export type KindVerdict =
  | { readonly verdict: 'mesh'; readonly kind: MeshKind }
  | { readonly verdict: 'foreign'; readonly apiVersion: string; readonly kind: string }
  | { readonly verdict: 'refused'; readonly issue: Issue };

/**
 * Whether a manifest is of a kind the mesh reads. A kind of ours in a wrong group or version is refused rather than ignored:
 * a policy that silently does not exist is a hole.
 */
export function judgeKind(content: unknown): KindVerdict {
  if (!isRecord(content)) {
    return refused([], `a manifest is a mapping with apiVersion and kind, not ${quote(content)}`);
  }
  const apiVersion = ownField(content, 'apiVersion');
  const kind = ownField(content, 'kind');
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    return refused(
      ['apiVersion'],
      'apiVersion: missing or not a string; every manifest names one, such as v1',
    );
  }
  if (typeof kind !== 'string' || kind === '') {
    return refused(['kind'], 'kind: missing or not a string; every manifest names one, such as Service');
  }
  if (isMeshKind(kind) && apiVersions[kind] === apiVersion) return { verdict: 'mesh', kind };
  return judgeStranger(apiVersion, kind);
}

function judgeStranger(apiVersion: string, kind: string): KindVerdict {
  const group = groupOf(apiVersion);
  if (
    isMeshKind(kind) &&
    (groupOf(apiVersions[kind]) === group || ownGroups.includes(groupOf(apiVersions[kind])))
  ) {
    return unsupported(
      ['apiVersion'],
      `apiVersion ${quote(apiVersion)} of ${kind} is not supported; write ${apiVersions[kind]}`,
    );
  }
  if (ownGroups.includes(group)) {
    const own = meshKinds.filter((name) => ownGroups.includes(groupOf(apiVersions[name])));
    const near = nearestName(kind, own);
    const hint = near === undefined ? `the kinds of Trellis are ${own.join(', ')}` : `did you mean ${near}?`;
    return unsupported(['kind'], `${quote(apiVersion)} has no kind ${quote(kind)}; ${hint}`);
  }
  return { verdict: 'foreign', apiVersion, kind };
}

const meshKinds = Object.keys(apiVersions) as readonly MeshKind[];

function isMeshKind(kind: string): kind is MeshKind {
  return Object.hasOwn(apiVersions, kind);
}

/** The core group has no name. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

function refused(path: readonly string[], message: string): KindVerdict {
  return { verdict: 'refused', issue: { severity: 'error', code: 'InvalidObject', path, message } };
}

function unsupported(path: readonly string[], message: string): KindVerdict {
  return { verdict: 'refused', issue: { severity: 'error', code: 'UnsupportedKind', path, message } };
}
