import { expect, test } from 'vitest';
import { checkLine, demoReport, summaryLine, wantsColors } from '../../../../src/cli/demo/report.ts';

const good = { id: 'allowed-call', ok: true, detail: '3 calls', ms: 12 } as const;
const bad = { id: 'denied-call', ok: false, detail: 'HTTP 200', ms: 3 } as const;

test('ok only when there were checks, all held, and nothing went wrong', () => {
  expect(demoReport('1.40.0', [good], undefined)).toEqual({ ok: true, envoy: '1.40.0', checks: [good] });
  expect(demoReport('1.40.0', [good, bad], undefined).ok).toBe(false);
  expect(demoReport('1.40.0', [], undefined).ok).toBe(false);
  expect(demoReport(undefined, [good], 'stopped')).toEqual({
    ok: false,
    envoy: null,
    checks: [good],
    error: 'stopped',
  });
});

test('lines for people', () => {
  expect(checkLine(good, false)).toMatch(/^ok +allowed-call +12 ms {2}3 calls$/);
  expect(checkLine(bad, false)).toMatch(/^FAILED denied-call/);
  expect(checkLine(bad, true)).toContain('\u001b[31m');
  expect(summaryLine([good])).toBe('all 1 checks held');
  expect(summaryLine([good, bad])).toBe('1 of 2 checks failed: denied-call');
});

test('colours only on a terminal, and where they are wanted', () => {
  expect(wantsColors({ isTTY: true }, {})).toBe(true);
  expect(wantsColors({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColors({}, {})).toBe(false);
});
