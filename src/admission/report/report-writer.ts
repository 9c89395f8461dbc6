// Brings the report of a namespace in line with what was found.

import { isDeepStrictEqual } from 'node:util';
import { isRecord, ownField } from '../../model/manifest.ts';
import type { KubeClient, KubeRequest } from '../../sources/kubernetes/cluster/client.ts';
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
  const all = pathOfReports(kind, namespace);
  const place: Place = { all, ours: `${all}/${reportName}`, metadata: metadataIn(namespace) };
  const existing = await read(place, options);
  if (content === undefined) {
    if (existing === undefined || !isOurs(existing)) return 'unchanged';
    await remove(place, existing, options);
    return 'deleted';
  }
  const wanted = encodeReport(kind, content);
  if (existing !== undefined && isAsWanted(existing, wanted)) return 'unchanged';
  if (existing !== undefined) await replace(place, existing, wanted, options);
  if (existing === undefined || isLeaving(existing)) {
    await write({ method: 'POST', path: place.all, body: { ...wanted, metadata: place.metadata } }, options);
  }
  return 'written';
}

type Report = Readonly<Record<string, unknown>>;

interface Place {
  /** Paths of all reports, and of ours. */
  readonly all: string;
  readonly ours: string;
  readonly metadata: ReturnType<typeof metadataIn>;
}

/**
 * All that a report is to have: what others put there goes. By an owner that does not exist it would be collected as garbage; by
 * labels and annotations others choose what they prune, tidy up or pass over. Who wants some on every object has a mutating webhook,
 * and that puts them back.
 *
 * Finalizers of others go, too. One is a promise to wait until whoever put it there is done; but nothing outside of a report depends
 * on it, so that there is nothing to wait for, and it would keep a report that is no longer true, and its namespace, for ever.
 */
function metadataIn(namespace: string) {
  return { name: reportName, namespace, labels: reportLabels };
}

async function read({ ours }: Place, { client, signal }: ReportWriterOptions): Promise<Report | undefined> {
  const report = await getIfThere(client, { path: ours, signal });
  if (report === undefined || isRecord(report)) return report;
  throw new KubernetesError('ERR_KUBE_PROTOCOL', `${ours}: the answer is no object`);
}

/** Of one that is being deleted this is the end: what held it were finalizers. */
async function replace(
  { ours, metadata }: Place,
  existing: Report,
  report: Report,
  options: ReportWriterOptions,
): Promise<unknown> {
  const body = { ...report, metadata: { ...versionOf(existing), ...metadata } };
  return await write({ method: 'PUT', path: ours, body }, options);
}

async function remove(place: Place, existing: Report, options: ReportWriterOptions): Promise<void> {
  let last: unknown = existing;
  if (hasAny(existing, 'finalizers')) {
    last = await replace(place, existing, existing, options);
    if (isLeaving(existing)) return;
  }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: versionOf(last) };
  await write({ method: 'DELETE', path: place.ours, body }, options);
}

type Write = Required<Pick<KubeRequest, 'method' | 'path' | 'body'>>;

async function write(request: Write, { client, signal, mayWrite }: ReportWriterOptions): Promise<unknown> {
  mayWrite();
  return await client.json({ ...request, signal });
}

/** That one and no other: a report that somebody has changed, or made anew, meanwhile is not what was looked at. */
function versionOf(report: unknown) {
  const metadata = ownField(report, 'metadata');
  return { uid: ownField(metadata, 'uid'), resourceVersion: ownField(metadata, 'resourceVersion') };
}

/** But for its metadata. */
function encodeReport(
  { apiVersion, kind, hasSource }: ReportKind,
  { summary, results }: ReportContent,
): Report {
  return { apiVersion, kind, ...(hasSource && { source: 'trellis' }), summary, results };
}

function isAsWanted(existing: Report, wanted: Report): boolean {
  const { metadata, ...rest } = existing;
  return (
    isDeepStrictEqual(rest, wanted) &&
    isDeepStrictEqual(ownField(metadata, 'labels'), reportLabels) &&
    !['annotations', 'ownerReferences', 'finalizers'].some((field) => hasAny(existing, field))
  );
}

/** The API server leaves out lists and maps that are empty. */
function hasAny(report: Report, field: string): boolean {
  return ownField(ownField(report, 'metadata'), field) !== undefined;
}

function isLeaving(report: Report): boolean {
  return hasAny(report, 'deletionTimestamp');
}

function isOurs(report: Report): boolean {
  const labels = ownField(ownField(report, 'metadata'), 'labels');
  return Object.entries(reportLabels).every(([label, value]) => ownField(labels, label) === value);
}
