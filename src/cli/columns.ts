// Text in two columns: a label, and what there is to say about it.

export type Row = readonly [label: string, text: string];

const labelWidth = 12;

/** A label is written once for the rows that follow each other under it. */
export function columns(rows: readonly Row[]): readonly string[] {
  let last = '';
  return rows.map(([label, text]) => {
    const shown = label === last ? '' : label;
    if (label !== '') last = label;
    return `  ${shown.padEnd(labelWidth)}  ${text}`.trimEnd();
  });
}
