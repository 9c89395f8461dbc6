// Predicate types by the short names that cosign gives them.

import { InvalidArgumentError } from 'commander';

const named = {
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
} as const;

export const predicateTypeNames = Object.keys(named).join(', ');

/** Of signatures: an attestation of that type would be one. */
const ofSignatures = 'https://sigstore.dev/cosign/sign/v1';

/** The URI of a short name, or the URI that was given. */
export function predicateType(text: string): string {
  const known = Object.entries(named).find(([name]) => name === text)?.[1];
  if (known !== undefined) return known;
  if (text === ofSignatures)
    throw new InvalidArgumentError('that type is of signatures: see trellis sign and verify.');
  if (/^[a-z][a-z0-9+.-]*:\S+$/i.test(text)) return text;
  throw new InvalidArgumentError(`give a URI, or one of ${predicateTypeNames}.`);
}
