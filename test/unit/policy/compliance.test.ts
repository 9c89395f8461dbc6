import { describe, expect, test } from 'vitest';
import { complianceProfiles } from '../../../src/policy/compliance.ts';

/** A profile is a claim about a document somebody has read; after a year somebody reads it again. */
const maxAgeDays = 366;

describe.each(Object.entries(complianceProfiles).filter(([level]) => level !== 'none'))(
  '%s',
  (_, profile) => {
    test('names its sources and when they were read', () => {
      expect(profile.sources.length).toBeGreaterThan(0);
      for (const { document, section, checkedOn } of profile.sources) {
        expect(document).not.toBe('');
        expect(section).not.toBe('');
        const age = (Date.now() - Date.parse(checkedOn)) / 86_400_000;
        expect(age).toBeGreaterThanOrEqual(0);
        expect(age).toBeLessThan(maxAgeDays);
      }
    });
  },
);
