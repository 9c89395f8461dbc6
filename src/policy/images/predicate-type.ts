// Types of attestations. A policy names the URI that stands in the statement: anything else matches nothing.

/** What cosign calls the usual ones, on its command line alone. */
export const predicateTypesByName = {
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
} as const;

/** A scheme, then anything but spaces: in-toto asks for no more (TypeURI). */
const uriPattern = /^[a-z][a-z0-9+.-]*:\S+$/i;

export function isPredicateType(text: string): boolean {
  return uriPattern.test(text);
}

/** Why no statement can be of this type; undefined: some can. */
export function predicateTypeProblem(text: string): string | undefined {
  if (isPredicateType(text)) return undefined;
  const known = Object.entries(predicateTypesByName).find(([name]) => name === text.toLowerCase())?.[1];
  const instead = known === undefined ? 'the URI, as https://slsa.dev/provenance/v1' : known;
  return `${JSON.stringify(text)} is no predicate type, and no attestation would match: write ${instead}`;
}
