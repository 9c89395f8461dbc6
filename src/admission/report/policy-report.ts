// The report of one namespace: everything that was found is counted, the worst of it is told.
//
// A result has no time: reports that say the same are equal, and are written once.

import { compareText } from '../../model/problem.ts';
import {
  noOutcomes,
  type Outcome,
  outcomes,
  type PodReference,
  type ReportResult,
} from './report-results.ts';

/** Of every report of ours, one a namespace. */
export const reportName = 'trellis-admission';

/** By which they are found: `kubectl get reports -A -l app.kubernetes.io/managed-by=trellis`. */
export const reportLabels = { 'app.kubernetes.io/managed-by': 'trellis' } as const;

/** Results of one report; more are for no person to read. */
const maxResults = 250;
/** Of all results together, as the API server will store them. etcd takes 1.5 MB, with what the API server adds. */
const maxResultBytes = 1_000_000;
/** Different things to say, of which it is remembered that they have been said. */
const maxDistinct = 5_000;

export interface ReportContent {
  readonly summary: Readonly<Record<Outcome, number>>;
  readonly results: readonly ReportResult[];
}

interface Ranked {
  readonly result: ReportResult;
  readonly pod: string;
  /** How many others have said the same before. */
  readonly repetition: number;
}

/** Takes pods one after the other and keeps no more of them than the report will tell. */
export class ReportCollector {
  readonly #summary = noOutcomes();
  readonly #said = new Map<string, number>();
  #worst: Ranked[] = [];

  add(pod: PodReference, results: readonly ReportResult[]): void {
    for (const result of results) {
      this.#summary[result.result] += 1;
      // That no policy speaks is nothing to tell of each pod.
      if (result.result === 'skip') continue;
      this.#worst.push({ result, pod: pod.name, repetition: this.#repetitions(result) });
      if (this.#worst.length >= 2 * maxResults) this.#cut();
    }
  }

  /** Undefined: there is nothing to say, and so there should be no report. */
  content(): ReportContent | undefined {
    this.#cut();
    if (this.#worst.length === 0) return undefined;
    return { summary: { ...this.#summary }, results: fitting(this.#worst.map(({ result }) => result)) };
  }

  #repetitions({ policy, rule, message }: ReportResult): number {
    const key = JSON.stringify([policy, rule, message]);
    const before = this.#said.get(key) ?? 0;
    if (before > 0 || this.#said.size < maxDistinct) this.#said.set(key, before + 1);
    return before;
  }

  #cut(): void {
    this.#worst = this.#worst.sort(compareRanked).slice(0, maxResults);
  }
}

function fitting(results: readonly ReportResult[]): readonly ReportResult[] {
  let bytes = 0;
  const end = results.findIndex((result) => {
    bytes += storedBytes(result);
    return bytes > maxResultBytes;
  });
  return end === -1 ? results : results.slice(0, end);
}

/** Go writes these three as \u003c, \u003e and \u0026: six bytes for one. */
function storedBytes(result: ReportResult): number {
  const text = JSON.stringify(result);
  return Buffer.byteLength(text) + 5 * (text.match(/[<>&]/g)?.length ?? 0);
}

/** Something new before what a hundred replicas have to say alike. */
function compareRanked(a: Ranked, b: Ranked): number {
  return (
    outcomes.indexOf(a.result.result) - outcomes.indexOf(b.result.result) ||
    a.repetition - b.repetition ||
    compareText(a.pod, b.pod) ||
    compareText(a.result.rule, b.result.rule) ||
    compareText(a.result.policy, b.result.policy) ||
    compareText(a.result.message, b.result.message)
  );
}
