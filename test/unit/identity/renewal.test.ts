import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextRenewal, nextRetry } from '../../../src/identity/renewal.ts';
import { at, now } from './support/storage.ts';

const hour = 3_600_000;
const second = 1000;
/** What Math.random yields. */
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('nextRenewal', () => {
  test('is at half life, a tenth of the life earlier or later', () => {
    const renewal = (random: number) =>
      nextRenewal({ issuedAt: now, notAfter: at(hour), random: () => random });
    expect(renewal(0.5)).toEqual(at(0.5 * hour));
    expect(renewal(0)).toEqual(at(0.4 * hour));
    expect(renewal(0.999_999).getTime()).toBeLessThanOrEqual(at(0.6 * hour).getTime());
    expect(renewal(0.999_999).getTime()).toBeGreaterThan(at(0.59 * hour).getTime());
  });

  test('lies inside the life and before its last part, whatever the life and the chance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 24 * hour }), chance, (life, random) => {
        const renewal =
          nextRenewal({ issuedAt: now, notAfter: at(life), random: () => random }).getTime() - now.getTime();
        expect(renewal).toBeGreaterThanOrEqual(0);
        expect(renewal).toBeLessThanOrEqual(life - Math.min(60 * second, life * 0.2));
      }),
    );
  });

  test('of an SVID that is already over is now', () => {
    expect(nextRenewal({ issuedAt: now, notAfter: at(-hour), random: () => 0.5 })).toEqual(now);
  });
});

describe('nextRetry', () => {
  const wait = (failures: number, random: number, notAfter = at(hour)): number =>
    nextRetry({ now, notAfter, failures, random: () => random }).getTime() - now.getTime();

  test('doubles up to half a minute, half of it left to chance', () => {
    expect([1, 2, 3, 4].map((failures) => wait(failures, 0))).toEqual([250, 500, 1000, 2000]);
    expect(wait(100, 0)).toBe(15 * second);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), chance, (failures, random) => {
        expect(wait(failures, random)).toBeGreaterThanOrEqual(250);
        expect(wait(failures, random)).toBeLessThanOrEqual(30 * second);
      }),
    );
  });

  test('falls before the safety margin while that lies ahead, and never becomes a busy loop after it', () => {
    expect(wait(100, 0.9, at(65 * second))).toBe(5 * second);
    expect(wait(100, 0, at(30 * second))).toBe(15 * second);
    expect(wait(1, 0, at(-hour))).toBe(250);
  });
});
