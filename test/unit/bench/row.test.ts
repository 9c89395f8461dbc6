import { describe, expect, test } from 'vitest';
import { type Row, resultsPage, table, verdict } from '../../../bench/measure/row.ts';

const peer = { name: 'other', values: [10, 20, 40] };
const row: Row = { what: 'a call', unit: 'µs', ours: [5, 30, 20], peer };

describe('verdict', () => {
  test.each<[string, Partial<Row>, string]>([
    ['no goal', {}, ''],
    ['a ratio that is kept', { goal: { of: 'ratio', atMost: 0.5 } }, 'met'],
    ['a ratio that is not', { goal: { of: 'ratio', atMost: 0.49 } }, 'missed'],
    ['a ratio that must be reached', { goal: { of: 'ratio', atLeast: 0.51 } }, 'missed'],
    ['a ratio without a peer', { goal: { of: 'ratio', atMost: 1 }, peer: undefined }, ''],
    ['a figure of our own', { goal: { of: 'ours', atMost: 20 }, peer: undefined }, 'met'],
    ['a figure of our own that is too large', { goal: { of: 'ours', atMost: 19 } }, 'missed'],
  ])('%s', (_, change, expected) => {
    expect(verdict({ ...row, ...change })).toBe(expected);
  });
});

describe('table', () => {
  test('has medians with their limits, the ratio of the rounds, the goal and the verdict', () => {
    const lines = table([{ ...row, goal: { of: 'ratio', atMost: 1 } }]).split('\n');
    expect(lines[2]).toBe(
      '| a call | 20.0 µs (5.00–30.0) | other: 20.0 µs (10.0–40.0) | 0.50× | ≤ 1× | met |',
    );
  });

  test('leaves out what was not measured', () => {
    const lines = table([
      { what: 'memory', unit: 'MB', ours: [123.4], goal: { of: 'ours', atMost: 400 } },
    ]).split('\n');
    expect(lines[2]).toBe('| memory | 123 MB |  |  | ≤ 400 MB | met |');
  });
});

test('the page holds the facts and every section', () => {
  const page = resultsPage('2 cores', [
    { title: 'One', note: 'How.', rows: [row] },
    { title: 'Two', note: 'Not measured.', rows: [] },
  ]);
  for (const part of ['2 cores', '## One', 'How.', '| a call |', '## Two', 'Not measured.'])
    expect(page).toContain(part);
  // A table without lines would look as if something had been measured.
  expect(page.match(/\| what \|/g)).toHaveLength(1);
});
