import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { fuzzRuns } from '../../support/fuzz.ts';

afterEach(() => vi.unstubAllEnvs());

describe('fuzzRuns', () => {
  test('is what the fuzz run asks for, else what is usual', () => {
    vi.stubEnv('TRELLIS_FUZZ_RUNS', '');
    expect(fuzzRuns(7)).toBe(7);
    vi.stubEnv('TRELLIS_FUZZ_RUNS', '20000');
    expect(fuzzRuns(7)).toBe(20_000);
  });

  test.each(['0', '-1', 'x', '1.5', '1e3'])('refuses %s rather than run less', (runs) => {
    vi.stubEnv('TRELLIS_FUZZ_RUNS', runs);
    expect(() => fuzzRuns(7)).toThrow('TRELLIS_FUZZ_RUNS');
  });

  test('the seed of the fuzz run is the seed of every property', async () => {
    vi.stubEnv('TRELLIS_FUZZ_SEED', '42');
    vi.resetModules();
    await import('../../support/fuzz.ts');
    const seed = () => fc.check(fc.property(fc.nat(), () => true)).seed;
    expect(seed()).toBe(42);
    fc.resetConfigureGlobal();
    expect(seed()).not.toBe(42);
  });
});
