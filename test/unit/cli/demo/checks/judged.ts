import { describe, expect, test } from 'vitest';

/** Judges the good observation, and each of the bad ones: the good one with a part replaced. */
export function judged<T extends object>(
  name: string,
  judge: (seen: T) => { ok: boolean; detail: string },
  good: NoInfer<T>,
  bad: readonly (readonly [what: string, part: Partial<NoInfer<T>>, says: RegExp])[],
): void {
  describe(name, () => {
    test('holds when all is well', () => {
      expect(judge(good)).toMatchObject({ ok: true });
    });
    test.each(bad)('fails: %s', (_what, part, says) => {
      const verdict = judge({ ...good, ...part });
      expect(verdict.ok).toBe(false);
      expect(verdict.detail).toMatch(says);
    });
  });
}
