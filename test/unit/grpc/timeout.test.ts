import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { status } from '../../../src/grpc/status.ts';
import { formatTimeout, parseTimeout } from '../../../src/grpc/timeout.ts';

describe('parseTimeout', () => {
  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['200m', 200],
    ['1500u', 2],
    ['1n', 1],
    ['0m', 1],
    ['99999999H', 2_147_483_647],
  ])('%s is %d ms', (header, ms) => {
    expect(parseTimeout(header)).toBe(ms);
  });

  test('no header, no deadline', () => {
    expect(parseTimeout(undefined)).toBeUndefined();
  });

  test.each(['', '5', 'm', '-1m', '1.5S', '100000000m', '1s', '1 m', '1m,2m', '٣m'])(
    '%j is refused',
    (header) => {
      expect(() => parseTimeout(header)).toThrow(expect.objectContaining({ code: status.invalidArgument }));
    },
  );
});

describe('formatTimeout', () => {
  test('what it writes is read back, rounded up by less than a second', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2_147_483_000, noNaN: true }), (ms) => {
        const read = parseTimeout(formatTimeout(ms)) ?? 0;
        expect(read).toBeGreaterThanOrEqual(ms);
        expect(read - ms).toBeLessThanOrEqual(1000);
      }),
    );
  });
});
