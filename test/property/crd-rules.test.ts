// The twins of CEL rules answer as CEL does: each rule of the schemas, evaluated by a CEL library on arbitrary objects.

import { celEnv, parse, plan } from '@bufbuild/cel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ruleTwins } from '../../src/model/crd-rules.ts';
import { fuzzRuns } from '../support/fuzz.ts';

const word = fc.constantFrom('a', 'b', 'c');
const optional = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { requiredKeys: [] });

const key = optional({ publicKey: word, kms: word, configMapRef: fc.record({ spkiSha256: word }) });
const keyset = fc.record({ name: word, keys: fc.array(key, { maxLength: 3 }) });

/** What any of the rules may be about, of the types that the schemas have checked before. */
const self = optional<Record<string, unknown>>({
  selector: fc.constant({}),
  images: fc.constant([]),
  postQuantumEncryption: fc.constantFrom('required', 'preferred'),
  operator: fc.constantFrom('In', 'NotIn', 'Exists'),
  values: fc.constant([]),
  authorities: fc.constant([]),
  action: fc.constantFrom('verify', 'deny', 'allow'),
  bindReference: word,
  attestations: fc.constant([]),
  keysets: fc.array(keyset, { maxLength: 3 }),
  keyless: fc.constant({}),
  threshold: fc.integer({ min: 1, max: 3 }),
  publicKey: word,
  kms: word,
  configMapRef: fc.constant({}),
  issuer: word,
  issuerRegExp: word,
  subject: word,
  subjectRegExp: word,
  predicateType: fc.constantFrom('a', 'https://sigstore.dev/cosign/sign/v1'),
  ports: fc.constant([]),
  port: fc.integer({ min: 1, max: 3 }),
});

/** Fields that their schema requires, so that no rule asks whether they are there. */
const required = { operator: 'In', predicateType: 'a' };

/** Without prototypes and with whole numbers as ints, as the API server has them. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return BigInt(value);
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, each]) => [name, celValue(each)]));
}

test.each([...ruleTwins])('%s', (rule, twin) => {
  const evaluate = plan(celEnv(), parse(rule));
  const seen = { true: 0, false: 0 };
  fc.assert(
    fc.property(self, (fields) => {
      const object = { ...required, ...fields };
      const expected = evaluate({ self: celValue(object) } as Parameters<typeof evaluate>[0]);
      expect(typeof expected).toBe('boolean');
      expect(twin(object)).toBe(expected);
      seen[`${expected === true}`]++;
    }),
    { numRuns: fuzzRuns(400) },
  );
  // A rule that is always or never kept would say nothing about its twin.
  expect(seen.true).toBeGreaterThan(0);
  expect(seen.false).toBeGreaterThan(0);
});
