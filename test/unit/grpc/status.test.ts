import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeStatusMessage, encodeStatusMessage, statusFromHttp } from '../../../src/grpc/status.ts';

describe('status messages', () => {
  test('any text survives the header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (message) => {
        const encoded = encodeStatusMessage(message);
        expect(encoded).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeStatusMessage(encoded)).toBe(message);
      }),
    );
  });

  test('line breaks and percent signs are escaped', () => {
    expect(encodeStatusMessage('100%\r\nx-evil: 1')).toBe('100%25%0D%0Ax-evil: 1');
  });

  test('broken escapes are kept', () => {
    expect(decodeStatusMessage('50% off %zz %4')).toBe('50% off %zz %4');
  });

  test('a long message is cut, so that the trailers fit the peer', () => {
    expect(encodeStatusMessage('a'.repeat(100_000)).length).toBeLessThan(1100);
  });
});

describe('statusFromHttp', () => {
  test.each([
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [502, 14],
    [503, 14],
    [504, 14],
    [200, 2],
    [500, 2],
  ])('HTTP %d is %d', (http, grpc) => {
    expect(statusFromHttp(http)).toBe(grpc);
  });
});
