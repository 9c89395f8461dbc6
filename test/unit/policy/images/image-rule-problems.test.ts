import { expect, test } from 'vitest';
import { imageRuleProblems } from '../../../../src/policy/images/image-rule-problems.ts';

const problemsOf = (...predicateTypes: readonly string[]) =>
  imageRuleProblems({
    match: ['registry.example/**'],
    attestations: predicateTypes.map((predicateType) => ({ predicateType })),
  });

test.each(['https://slsa.dev/provenance/v1', 'urn:example:a', 'HTTPS://example.com'])(
  '%s can be the type of a statement',
  (predicateType) => {
    expect(problemsOf(predicateType)).toEqual([]);
  },
);

test.each([
  ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
  ['SPDX', 'https://spdx.dev/Document'],
  ['slsa.dev/provenance/v1', 'the URI, as https://slsa.dev/provenance/v1'],
  ['toString', 'the URI, as https://slsa.dev/provenance/v1'],
  ['https://example.com/a b', 'the URI, as https://slsa.dev/provenance/v1'],
])('%s is none, and what to write is said', (predicateType, instead) => {
  expect(problemsOf('https://example.com/a', predicateType)).toEqual([
    {
      path: ['attestations', 1, 'predicateType'],
      problem: `"${predicateType}" is no predicate type, and no attestation would match: write ${instead}`,
    },
  ]);
});
