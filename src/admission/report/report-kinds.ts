// The kinds of reports that a cluster has.

import { ownField } from '../../model/manifest.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { getIfThere } from '../../sources/kubernetes/cluster/get-if-there.ts';

export interface ReportKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Whether a report says itself who made it. */
  readonly hasSource: boolean;
}

/** The one that is preferred first: the second has been handed over to it. */
const known: readonly ReportKind[] = [
  { apiVersion: 'openreports.io/v1alpha1', kind: 'Report', plural: 'reports', hasSource: true },
  {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'PolicyReport',
    plural: 'policyreports',
    hasSource: false,
  },
];

/** @throws KubernetesError: not to know is not the same as to know that there is none */
export async function discoverReportKinds(
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly ReportKind[]> {
  const served = await Promise.all(known.map((kind) => isServed(kind, client, signal)));
  return known.filter((_, index) => served[index] === true);
}

async function isServed(kind: ReportKind, client: KubeClient, signal: AbortSignal): Promise<boolean> {
  const group = await getIfThere(client, { path: `/apis/${kind.apiVersion}`, signal });
  const resources = ownField(group, 'resources');
  return (
    Array.isArray(resources) &&
    resources.some((each) => ownField(each, 'name') === kind.plural && ownField(each, 'kind') === kind.kind)
  );
}

export function pathOfReports({ apiVersion, plural }: ReportKind, namespace: string): string {
  return `/apis/${apiVersion}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}
