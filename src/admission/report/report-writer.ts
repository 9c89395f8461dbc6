// Brings the report of a namespace in line with what was found.

import { isDeepStrictEqual } from 'node:util';
import { isRecord, ownField } from '../../model/manifest.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { getIfThere } from '../../sources/kubernetes/cluster/get-if-there.ts';
import { KubernetesError } from '../../sources/kubernetes/errors.ts';
import { type ReportContent, reportLabels, reportName } from './policy-report.ts';
import { pathOfReports, type ReportKind } from './report-kinds.ts';

export type Written = 'written' | 'unchanged' | 'deleted';

export interface ReportWriterOptions {
  readonly client: KubeClient;
  /** That the cluster has; the first is written, and what was once written of the others is removed. */
  readonly kinds: readonly ReportKind[];
  readonly signal: AbortSignal;
  /** Called before every write. @throws what ends the round */
  readonly mayWrite: () => void;
}

/**
 * Our name is ours: whatever else bears it is replaced, or whoever writes reports into a namespace could keep ours out. What is to
 * go is deleted only if it says that it is ours.
 * @param content undefined: there should be no report
 * @throws KubernetesError; ERR_KUBE_CONFLICT when somebody else has just written
 */
export async function writeReport(
  namespace: string,
  content: ReportContent | undefined,
  options: ReportWriterOptions,
): Promise<Written> {
  const [kind, ...superseded] = options.kinds;
  for (const each of superseded) await put(each, namespace, undefined, options);
  return kind === undefined ? 'unchanged' : await put(kind, namespace, content, options);
}

async function put(
  kind: ReportKind,
  namespace: string,
  content: ReportContent | undefined,
  options: ReportWriterOptions,
): Promise<Written> {
  const { client, signal, mayWrite } = options;
  const path = pathOfReports(kind, namespace);
  const existing = await read(`${path}/${reportName}`, options);
  if (content === undefined) {
    if (existing === undefined || !isOurs(existing)) return 'unchanged';
    mayWrite();
    await remove(`${path}/${reportName}`, existing, options);
    return 'deleted';
  }
  const body = encodeReport(kind, namespace, content, existing);
  if (existing !== undefined && saysTheSame(existing, body)) return 'unchanged';
  mayWrite();
  await (existing === undefined
    ? client.json({ method: 'POST', path, body, signal })
    : client.json({ method: 'PUT', path: `${path}/${reportName}`, body, signal }));
  return 'written';
}

type Report = Readonly<Record<string, unknown>>;

async function read(path: string, { client, signal }: ReportWriterOptions): Promise<Report | undefined> {
  const report = await getIfThere(client, { path, signal });
  if (report === undefined || isRecord(report)) return report;
  throw new KubernetesError('ERR_KUBE_PROTOCOL', `${path}: the answer is no object`);
}

/** That one and no other: a report that somebody has made anew meanwhile is not what was looked at. */
async function remove(
  path: string,
  existing: Report,
  { client, signal }: ReportWriterOptions,
): Promise<void> {
  const metadata = ownField(existing, 'metadata');
  const preconditions = {
    uid: ownField(metadata, 'uid'),
    resourceVersion: ownField(metadata, 'resourceVersion'),
  };
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
  await client.json({ method: 'DELETE', path, body, signal });
}

/** @param existing whose version is replaced, and no later one; labels and annotations of others stay */
function encodeReport(
  { apiVersion, kind, hasSource }: ReportKind,
  namespace: string,
  { summary, results }: ReportContent,
  existing: Report | undefined,
): Report {
  const metadata = ownField(existing, 'metadata');
  const labels = ownField(metadata, 'labels');
  return {
    apiVersion,
    kind,
    metadata: {
      ...(isRecord(metadata) && metadata),
      ...{ name: reportName, namespace },
      labels: { ...(isRecord(labels) && labels), ...reportLabels },
    },
    ...(hasSource && { source: 'trellis' }),
    summary,
    results,
  };
}

function saysTheSame(existing: Report, wanted: Report): boolean {
  const withoutMetadata = ({ metadata: _, ...rest }: Report): unknown => rest;
  return isOurs(existing) && isDeepStrictEqual(withoutMetadata(existing), withoutMetadata(wanted));
}

function isOurs(report: Report): boolean {
  const labels = ownField(ownField(report, 'metadata'), 'labels');
  return Object.entries(reportLabels).every(([label, value]) => ownField(labels, label) === value);
}
