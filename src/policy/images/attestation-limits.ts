// Limits of conditions on attestations and why, in one place; those of all conditions are in condition/limits.ts. Predicates are
// larger than requests: an SPDX document of five thousand packages has a hundred thousand values. Units of cost are about a tenth of
// a microsecond, so that one condition may take two seconds at the very worst.

import type { JsonLimits, JsonSize } from '../condition/json.ts';

/** What a predicate may have for a condition to be asked about it: some twelve thousand packages of an SPDX document. */
export const predicateLimits: JsonLimits = {
  values: 250_000,
  depth: 64,
  charsOfText: 262_144,
  chars: 8_388_608,
};

/**
 * A predicate that every condition must be able to deal with, about a SLSA provenance with a hundred dependencies: one that cannot is
 * an error of the manifest. For each predicate that comes, the bound is worked out anew from what is in it.
 */
export const ordinaryPredicate: JsonSize = { values: 500, chars: 32_768, longest: 4_096, widest: 250 };

/** What a condition may cost on a predicate at worst, its regular expressions aside. */
export const maxAttestationCost = 15_000_000;
/** What its regular expressions may do meanwhile, counted as they run. */
export const maxAttestationMatching = 5_000_000;

/** As in the schema: an attestation with a longer one is not asked for. */
export const maxPredicateTypeChars = 512;
/** Characters of the name of a subject; the longest reference to an image has fewer. */
export const maxSubjectNameChars = 2_048;
/** Digests of one subject: in-toto knows a dozen algorithms, the longest digest has 128 characters. */
export const subjectDigestLimits: JsonLimits = { values: 17, depth: 2, charsOfText: 256, chars: 4_096 };
