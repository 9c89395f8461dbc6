// Compliance profiles: what each named level allows in the handshake between meshed workloads.
// A profile says what is enforced; no text of ours says "certified", "compliant" or "validated".

import type { KeyExchangeGroup, SignatureAlgorithm } from '../crypto/algorithms.ts';

export interface Source {
  readonly document: string;
  readonly section: string;
  /** ISO date on which somebody last read the source. */
  readonly checkedOn: string;
}

export interface ComplianceProfile {
  readonly keyExchangeGroups: readonly KeyExchangeGroup[];
  readonly signatureAlgorithms: readonly SignatureAlgorithm[];
  /** Why stock Envoy cannot keep this profile, or undefined when it can. */
  readonly notEnforceable: string | undefined;
  readonly sources: readonly Source[];
}

export type ComplianceLevel =
  | 'FIPS-140-2-L1'
  | 'FIPS-140-2-L2'
  | 'FIPS-140-2-L3'
  | 'FIPS-140-2-L3+'
  | 'FIPS-140-3-L1'
  | 'FIPS-140-3-L2'
  | 'FIPS-140-3-L3'
  | 'CNSA-2.0'
  | 'BSI-TR-02102'
  | 'none';

const fips: ComplianceProfile = {
  keyExchangeGroups: ['X25519MLKEM768', 'MLKEM1024'],
  signatureAlgorithms: ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'],
  notEnforceable: undefined,
  sources: [
    { document: 'FIPS 203', section: '8 (parameter sets)', checkedOn: '2026-09-01' },
    { document: 'FIPS 204', section: '4 (parameter sets)', checkedOn: '2026-09-01' },
    { document: 'SP 800-227', section: '4.6 (hybrid key establishment)', checkedOn: '2026-09-01' },
  ],
};

const cnsa: ComplianceProfile = {
  keyExchangeGroups: ['MLKEM1024'],
  signatureAlgorithms: ['ML-DSA-87'],
  notEnforceable:
    'it demands AES-256-GCM, and Envoy does not let TLS 1.3 cipher suites be chosen (DataPlaneCipherNotEnforceable)',
  sources: [{ document: 'NSA CNSA 2.0 advisory', section: 'algorithm table', checkedOn: '2026-09-01' }],
};

const bsi: ComplianceProfile = {
  keyExchangeGroups: ['X25519MLKEM768'],
  signatureAlgorithms: ['ML-DSA-65', 'ML-DSA-87'],
  notEnforceable: undefined,
  sources: [{ document: 'BSI TR-02102-2', section: '3 (TLS)', checkedOn: '2026-09-01' }],
};

const unconstrained: ComplianceProfile = {
  keyExchangeGroups: ['X25519MLKEM768', 'MLKEM1024'],
  signatureAlgorithms: ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'],
  notEnforceable: undefined,
  sources: [],
};

/** Custody rules that set the FIPS levels apart concern signing keys, not the handshake. */
export const complianceProfiles: Readonly<Record<ComplianceLevel, ComplianceProfile>> = {
  'FIPS-140-2-L1': fips,
  'FIPS-140-2-L2': fips,
  'FIPS-140-2-L3': fips,
  'FIPS-140-2-L3+': fips,
  'FIPS-140-3-L1': fips,
  'FIPS-140-3-L2': fips,
  'FIPS-140-3-L3': fips,
  'CNSA-2.0': cnsa,
  'BSI-TR-02102': bsi,
  none: unconstrained,
};
