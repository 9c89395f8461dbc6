import { describe, expect, test } from 'vitest';
import { type SignatureAlgorithm, signatureAlgorithms } from '../../../../src/crypto/algorithms.ts';
import { type ComplianceLevel, complianceProfiles } from '../../../../src/policy/compliance.ts';
import {
  authorityCompliance,
  complianceDemands,
  type ImageAuthority,
  type ImageKey,
  imageComplianceProfiles,
  type KeyCustody,
} from '../../../../src/policy/images/compliance.ts';

const algorithms = Object.keys(signatureAlgorithms) as SignatureAlgorithm[];
const levels = Object.keys(imageComplianceProfiles) as ComplianceLevel[];
const level3: readonly ComplianceLevel[] = ['FIPS-140-2-L3', 'FIPS-140-2-L3+', 'FIPS-140-3-L3'];

/** Every set of at least one algorithm. */
const sets: readonly SignatureAlgorithm[][] = Array.from({ length: 2 ** algorithms.length - 1 }, (_, index) =>
  algorithms.filter((_name, bit) => ((index + 1) >> bit) % 2 === 1),
);

const keysOf = (set: readonly SignatureAlgorithm[]): ImageKey[] =>
  set.map((algorithm) => ({ algorithm, kms: `awskms:///alias/${algorithm}` }));
const keyset = (name: string, ...set: SignatureAlgorithm[]) => ({ name, keys: keysOf(set) });
const demand = (...list: ComplianceLevel[]) =>
  list.map((level, index) => ({ policy: `shop/p${index}` as const, level }));
const custody = (kept: KeyCustody) => () => kept;

const keyless: NonNullable<ImageAuthority['keyless']> = {
  issuer: 'https://issuer.example',
  subject: 'a',
  trustedRoot: { configMapRef: { name: 'a', key: 'b', sha256: 'ab'.repeat(32) } },
};

/** Whether the one keyset of an authority may count. */
function counts(
  set: readonly SignatureAlgorithm[],
  level: ComplianceLevel,
  kept: KeyCustody,
  beside = false,
): boolean {
  const authority: ImageAuthority = {
    name: 'ci',
    keysets: [keyset('a', ...set)],
    ...(beside ? { keyless } : {}),
  };
  const { keysets, refusal } = authorityCompliance(authority, demand(level), custody(kept));
  const may = keysets.get('a') === undefined;
  expect(refusal === undefined).toBe(may);
  return may;
}

/** The table, written down once more and in other words. */
function mayCount(set: readonly SignatureAlgorithm[], level: ComplianceLevel, kept: KeyCustody): boolean {
  const has = (...any: SignatureAlgorithm[]) => any.some((each) => set.includes(each));
  const latticed = has('ML-DSA-65', 'ML-DSA-87');
  const classical = has('ECDSA-P256', 'ECDSA-P384');
  if (level === 'none') return true;
  if (level === 'CNSA-2.0') return has('ML-DSA-87') && kept !== 'unknown';
  if (level === 'BSI-TR-02102') return latticed && classical;
  return (latticed || classical) && (!level3.includes(level) || kept === 'hardware');
}

describe.each(levels)('%s', (level) => {
  test.each(['hardware', 'kms', 'unknown'] as const)('every set of algorithms, custody %s', (kept) => {
    for (const set of sets) {
      expect({ set, counts: counts(set, level, kept) }).toEqual({ set, counts: mayCount(set, level, kept) });
    }
  });

  test('a keyset with a certificate beside it: ECDSA P-256, and not in anyone’s custody', () => {
    for (const set of sets) {
      const isBsi = level === 'BSI-TR-02102';
      const isFips = level.startsWith('FIPS') && !level3.includes(level);
      const expected =
        isBsi || isFips ? mayCount([...set, 'ECDSA-P256'], level, 'kms') : mayCount(set, level, 'kms');
      expect({ set, counts: counts(set, level, 'kms', true) }).toEqual({ set, counts: expected });
    }
  });

  test('a certificate by itself', () => {
    const { keysets, refusal } = authorityCompliance(
      { name: 'ci', keyless },
      demand(level),
      custody('hardware'),
    );
    expect(keysets.size).toBe(0);
    const enough = level === 'none' || (level.startsWith('FIPS') && !level3.includes(level));
    expect(refusal === undefined).toBe(enough);
    if (refusal !== undefined)
      expect(refusal).toMatch(/^authority ci cannot be satisfied: keyless does not count/);
  });
});

test('there is a profile for every level', () => {
  expect(levels.toSorted()).toEqual(Object.keys(complianceProfiles).toSorted());
});

describe('a refusal', () => {
  test('says what is missing, who asks for it, and where that is written', () => {
    const authority: ImageAuthority = { name: 'ci', keysets: [keyset('ci-2026', 'ML-DSA-65', 'ECDSA-P256')] };
    const { keysets, refusal } = authorityCompliance(authority, demand('none', 'CNSA-2.0'), custody('kms'));
    const shortfall = keysets.get('ci-2026');
    expect(shortfall?.demand).toEqual({ policy: 'shop/p1', level: 'CNSA-2.0' });
    expect(shortfall?.rule.sources[0]).toMatchObject({ document: 'NSA CNSA 2.0 advisory' });
    expect(shortfall?.reason).toBe(
      'keyset ci-2026 does not count under CNSA-2.0 of shop/p1, which asks for ML-DSA-87 (NSA CNSA 2.0 advisory, algorithm table, read 2026-09-01)',
    );
    expect(refusal).toBe(
      `authority ci cannot be satisfied: 0 of the 1 keysets it needs may count; ${shortfall?.reason}`,
    );
  });

  test('cites custody where the algorithm is there and its keeper unknown', () => {
    const authority: ImageAuthority = { name: 'ci', keysets: [keyset('a', 'ML-DSA-87')] };
    const { keysets } = authorityCompliance(authority, demand('FIPS-140-3-L3'), custody('kms'));
    expect(keysets.get('a')?.rule.text).toContain('in hardware');
    expect(keysets.get('a')?.rule.sources[0].document).toBe('FIPS 140-3');
    const weak: ImageAuthority = { name: 'ci', keysets: [keyset('a', 'ML-DSA-44')] };
    const { keysets: others } = authorityCompliance(weak, demand('FIPS-140-3-L3'), custody('kms'));
    expect(others.get('a')?.rule.text).toContain('approved algorithm');
  });

  test('comes when fewer keysets are left than the threshold asks for', () => {
    const keysets = [keyset('a', 'ML-DSA-87'), keyset('b', 'ML-DSA-65'), keyset('c', 'ML-DSA-87')];
    const refusal = (threshold: number) =>
      authorityCompliance({ name: 'ci', threshold, keysets }, demand('CNSA-2.0'), custody('kms')).refusal;
    expect(refusal(1)).toBeUndefined();
    expect(refusal(2)).toBeUndefined();
    expect(refusal(3)).toContain('2 of the 3 keysets it needs may count; keyset b does not count');
  });

  test('comes of each key’s own custody', () => {
    const authority: ImageAuthority = {
      name: 'ci',
      keysets: [keyset('a', 'ML-DSA-65', 'ECDSA-P256'), keyset('b', 'ML-DSA-87')],
    };
    const kept = ({ algorithm }: ImageKey): KeyCustody => (algorithm === 'ECDSA-P256' ? 'hardware' : 'kms');
    const { keysets } = authorityCompliance(authority, demand('FIPS-140-3-L3'), kept);
    expect([...keysets].map(([name, shortfall]) => [name, shortfall === undefined])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });
});

describe('several levels', () => {
  test('must all be kept', () => {
    const judge = (...set: SignatureAlgorithm[]) =>
      authorityCompliance(
        { name: 'ci', keysets: [keyset('a', ...set)] },
        demand('BSI-TR-02102', 'CNSA-2.0'),
        custody('kms'),
      ).keysets.get('a')?.demand.level;
    expect(judge('ML-DSA-87', 'ECDSA-P256')).toBeUndefined();
    expect(judge('ML-DSA-87')).toBe('BSI-TR-02102');
    expect(judge('ML-DSA-65', 'ECDSA-P256')).toBe('CNSA-2.0');
  });

  test('never let more count than one of them alone', () => {
    for (const one of levels) {
      for (const other of levels) {
        for (const set of sets) {
          const authority: ImageAuthority = { name: 'ci', keysets: [keyset('a', ...set)] };
          const { keysets } = authorityCompliance(authority, demand(one, other), custody('kms'));
          const together = keysets.get('a') === undefined;
          expect(together).toBe(counts(set, one, 'kms') && counts(set, other, 'kms'));
        }
      }
    }
  });

  test('are those of the policies that name one', () => {
    expect(
      complianceDemands([
        { namespace: 'shop', name: 'a', spec: { complianceLevel: 'CNSA-2.0' } },
        { namespace: 'shop', name: 'b', spec: {} },
      ]),
    ).toEqual([{ policy: 'shop/a', level: 'CNSA-2.0' }]);
  });
});

/** A profile is a claim about a document somebody has read; after a year somebody reads it again. */
const maxAgeDays = 366;

test.each(levels.filter((level) => level !== 'none'))(
  '%s names its sources and when they were read',
  (level) => {
    const { algorithms: rules, custody: kept } = imageComplianceProfiles[level];
    expect(rules.length).toBeGreaterThan(0);
    for (const { text, sources } of [...rules, ...(kept === undefined ? [] : [kept])]) {
      expect(text).not.toBe('');
      expect(sources.length).toBeGreaterThan(0);
      for (const { document, section, checkedOn } of sources) {
        expect(document).not.toBe('');
        expect(section).not.toBe('');
        const age = (Date.now() - Date.parse(checkedOn)) / 86_400_000;
        expect(age).toBeGreaterThanOrEqual(0);
        expect(age).toBeLessThan(maxAgeDays);
      }
    }
  },
);
