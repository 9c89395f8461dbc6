// One line of the results: what was measured, ours, beside whom, and what was promised.

import { pairedRatio, spread } from './statistics.ts';

export type Unit = 'µs' | 'ms' | 's' | 'MB' | '/s' | 'requests';

export interface Peer {
  readonly name: string;
  /** One value a round, of the same rounds as ours. */
  readonly values: readonly number[];
}

/** `ratio` is about ours divided by the peer's, `ours` about the figure itself. */
export interface Goal {
  readonly of: 'ratio' | 'ours';
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** One value a round. */
  readonly ours: readonly number[];
  readonly peer?: Peer | undefined;
  readonly goal?: Goal;
}

export interface Section {
  readonly title: string;
  /** What a reader has to know about how it was measured. */
  readonly note: string;
  readonly rows: readonly Row[];
}

const columns = ['what', 'ours', 'peer', 'ratio', 'goal', 'verdict'] as const;

/** A Markdown table. */
export function table(rows: readonly Row[]): string {
  const lines = [columns, columns.map(() => '---'), ...rows.map(cells)];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function cells(row: Row): readonly string[] {
  const { what, unit, ours, peer, goal } = row;
  return [
    what,
    figure(ours, unit),
    peer === undefined ? '' : `${peer.name}: ${figure(peer.values, unit)}`,
    peer === undefined ? '' : `${ratioOf(ours, peer).toFixed(2)}×`,
    goal === undefined ? '' : goalText(goal, unit),
    verdict(row),
  ];
}

function ratioOf(ours: readonly number[], peer: Peer): number {
  return pairedRatio(ours, peer.values);
}

/** Median with the smallest and the largest. */
function figure(values: readonly number[], unit: Unit): string {
  const { median, min, max } = spread(values);
  if (values.length === 1) return `${digits(median)} ${unit}`;
  return `${digits(median)} ${unit} (${digits(min)}–${digits(max)})`;
}

/** Three digits that count. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

function goalText({ of, atMost, atLeast }: Goal, unit: Unit): string {
  const suffix = of === 'ratio' ? '×' : ` ${unit}`;
  const texts = [
    atMost === undefined ? [] : [`≤ ${atMost}${suffix}`],
    atLeast === undefined ? [] : [`≥ ${atLeast}${suffix}`],
  ];
  return texts.flat().join(', ');
}

/** Nothing without a goal, or where a ratio was promised and the peer could not be measured. */
export function verdict({ ours, peer, goal }: Row): '' | 'met' | 'missed' {
  if (goal === undefined || (goal.of === 'ratio' && peer === undefined)) return '';
  const value = goal.of === 'ratio' && peer !== undefined ? ratioOf(ours, peer) : spread(ours).median;
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = goal;
  return value <= atMost && value >= atLeast ? 'met' : 'missed';
}

/** The whole page. */
export function resultsPage(facts: string, sections: readonly Section[]): string {
  const parts = sections.map(({ title, note, rows }) =>
    [`## ${title}\n`, `${note}\n`, ...(rows.length === 0 ? [] : [`${table(rows)}\n`])].join('\n'),
  );
  return `# Measured

Written by \`npm run bench\`; how, is in [README.md](README.md). Medians of the rounds, smallest and largest in brackets; a ratio is the
median of the ratios of each round, ours divided by the peer's. ${facts}.

${parts.join('\n')}`;
}
