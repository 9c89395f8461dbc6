// The live table as text. Pure: what is known in, lines out.

import { paint } from '../report.ts';
import type { Edge } from './edges.ts';

/** What was negotiated between two workloads. */
export interface Negotiated {
  readonly group: string;
  readonly signature: string;
}

export interface TableInput {
  readonly edges: readonly Edge[];
  /** By `<from> <to>`. */
  readonly negotiated: ReadonlyMap<string, Negotiated>;
  readonly now: number;
  readonly colors: boolean;
  readonly columns: number;
  readonly rows: number;
}

/** Rows not seen for this long are dimmed: it is what was decided before, or a caller that has stopped. */
const staleMs = 3000;

// What matters most comes first: a narrow terminal cuts the end off.
const headings = [
  'who → whom',
  'request',
  'decision',
  'count',
  'key exchange',
  'signature',
  "caller's SPIFFE ID",
];
const countColumn = headings.indexOf('count');

export function renderTable({
  edges,
  negotiated,
  now,
  colors,
  columns,
  rows,
}: TableInput): readonly string[] {
  const cells = edges.map((edge) => {
    const { group = '…', signature = '…' } = negotiated.get(`${edge.from} ${edge.to}`) ?? {};
    const path = `${edge.from} → ${edge.to}`;
    return [path, edge.request, edge.decision, String(edge.count), group, signature, edge.callerId];
  });
  const shown = cells.slice(0, Math.max(1, rows - 2));
  const widths = headings.map((heading, column) =>
    Math.max(...[heading, ...shown.map((row) => row[column] ?? '')].map((text) => text.length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) =>
        column === countColumn ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .slice(0, columns);
  const body = shown.map((row, index) => {
    const edge = edges[index];
    if (edge === undefined || now - edge.lastAt > staleMs) return paint(colors, 'dim', line(row));
    return paint(colors, edge.denied ? 'red' : 'green', line(row));
  });
  const hidden = cells.length - shown.length;
  return [
    paint(colors, 'bold', line(headings)),
    ...body,
    ...(hidden > 0 ? [paint(colors, 'dim', `… and ${hidden} more: make the terminal higher`)] : []),
  ];
}

/** One line about a change, for where there is no terminal. */
export function changeLine(
  edge: Edge,
  before: string | undefined,
  negotiated: Negotiated | undefined,
): string {
  const { from, to, request, callerId, decision } = edge;
  const tls = negotiated === undefined ? '' : `, ${negotiated.group}, ${negotiated.signature}`;
  const was = before === undefined ? '' : ` (was: ${before})`;
  return `${from} → ${to}  ${request}: ${decision}${was}  [${callerId}${tls}]`;
}
