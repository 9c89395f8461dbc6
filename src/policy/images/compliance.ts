// Compliance profiles, for signatures of images: which keysets may count toward an authority. A keyset counts where its keys have all
// that each profile asks for; what it has beside that gives it no credit and does it no harm.
//
// A profile says what is enforced; no text of ours says "certified", "compliant" or "validated".

import type { SignatureAlgorithm } from '../../crypto/algorithms.ts';
import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import type { ComplianceLevel, Source } from '../compliance.ts';
import type { ImageRule } from './image-requirements.ts';

export type ImageAuthority = NonNullable<ImageRule['authorities']>[number];
export type ImageKey = NonNullable<ImageAuthority['keysets']>[number]['keys'][number];

/**
 * Where a private key is kept, as far as anyone but its owner can know: the key management service says that it holds the key in
 * hardware; or that it holds it; nobody says anything. A public key by itself says nothing.
 */
export type KeyCustody = 'hardware' | 'kms' | 'unknown';

/** One thing that a profile asks for. */
export interface ImageComplianceRule {
  readonly text: string;
  readonly sources: readonly [Source, ...Source[]];
}

/** A key of one of these algorithms must be among those that sign. */
interface AlgorithmRule extends ImageComplianceRule {
  readonly algorithms: readonly SignatureAlgorithm[];
}

/** Only keys in custody of one of these kinds give credit. */
interface CustodyRule extends ImageComplianceRule {
  readonly custody: readonly KeyCustody[];
}

export interface ImageComplianceProfile {
  /** All must be kept. */
  readonly algorithms: readonly AlgorithmRule[];
  readonly custody: CustodyRule | undefined;
}

const checkedOn = '2026-09-01';
const fips204: Source = { document: 'FIPS 204', section: '4 (parameter sets)', checkedOn };
const fips186: Source = { document: 'FIPS 186-5', section: '6 (ECDSA)', checkedOn };
const cnsaTable: Source = { document: 'NSA CNSA 2.0 advisory', section: 'algorithm table', checkedOn };
const cnsaFaq: Source = { document: 'NSA CNSA 2.0 FAQ', section: 'software and firmware signing', checkedOn };
const bsiSignatures: Source = { document: 'BSI TR-02102-1', section: '5.3 (signature schemes)', checkedOn };

const fips: ImageComplianceProfile = {
  algorithms: [
    {
      // FIPS 204 approves ML-DSA-44 too. Signatures of images live long: category 3 and up is what Trellis gives credit for.
      algorithms: ['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'],
      text: 'an approved algorithm: ML-DSA-65 or ML-DSA-87, or ECDSA on P-256 or P-384',
      sources: [fips204, fips186],
    },
  ],
  custody: undefined,
};

const fipsLevel3: ImageComplianceProfile = {
  ...fips,
  custody: {
    custody: ['hardware'],
    text: 'keys in a key management service that says it keeps them in hardware',
    sources: [{ document: 'FIPS 140-3', section: 'security level 3 (ISO/IEC 19790 §7.7, §7.9)', checkedOn }],
  },
};

const cnsa: ImageComplianceProfile = {
  algorithms: [{ algorithms: ['ML-DSA-87'], text: 'ML-DSA-87', sources: [cnsaTable] }],
  custody: { custody: ['hardware', 'kms'], text: 'keys in a key management service', sources: [cnsaFaq] },
};

const bsi: ImageComplianceProfile = {
  algorithms: [
    { algorithms: ['ML-DSA-65', 'ML-DSA-87'], text: 'ML-DSA-65 or ML-DSA-87', sources: [bsiSignatures] },
    {
      algorithms: ['ECDSA-P256', 'ECDSA-P384'],
      text: 'ECDSA on P-256 or P-384 beside ML-DSA',
      sources: [bsiSignatures],
    },
  ],
  custody: undefined,
};

const unconstrained: ImageComplianceProfile = { algorithms: [], custody: undefined };

export const imageComplianceProfiles: Readonly<Record<ComplianceLevel, ImageComplianceProfile>> = {
  'FIPS-140-2-L1': fips,
  'FIPS-140-2-L2': fips,
  'FIPS-140-2-L3': fipsLevel3,
  'FIPS-140-2-L3+': fipsLevel3,
  'FIPS-140-3-L1': fips,
  'FIPS-140-3-L2': fips,
  'FIPS-140-3-L3': fipsLevel3,
  'CNSA-2.0': cnsa,
  'BSI-TR-02102': bsi,
  none: unconstrained,
};

/** A level that holds, and by whose word. */
export interface ComplianceDemand {
  readonly policy: NamespacedName;
  readonly level: ComplianceLevel;
}

/** The levels that policies ask for; all of them must be kept. */
export function complianceDemands(policies: readonly Policy[]): readonly ComplianceDemand[] {
  return policies.flatMap((policy) => {
    const { complianceLevel: level } = policy.spec;
    return level === undefined ? [] : [{ policy: namespacedName(policy), level }];
  });
}

/** Why a keyset, or keyless by itself, does not count. */
export interface Shortfall {
  readonly demand: ComplianceDemand;
  readonly rule: ImageComplianceRule;
  /** For whoever is denied: what is missing, who asks for it, and where that is written. */
  readonly reason: string;
}

export interface AuthorityCompliance {
  readonly authority: string;
  /** Undefined: the keyset may count. In the order of the policy. */
  readonly keysets: ReadonlyMap<string, Shortfall | undefined>;
  /** Why the authority can never be satisfied; undefined: it can. */
  readonly refusal: string | undefined;
}

/**
 * Which keysets of an authority may count under all demands.
 * @param custodyOf of a key; `unknown` for one that nobody has been asked about
 */
export function authorityCompliance(
  { name, keysets = [], keyless, threshold = 1 }: ImageAuthority,
  demands: readonly ComplianceDemand[],
  custodyOf: (key: ImageKey) => KeyCustody,
): AuthorityCompliance {
  const beside = keyless === undefined ? [] : [keylessSigner];
  const judged = new Map(
    keysets.map((keyset) => {
      const signers = keyset.keys.map((key) => ({ algorithm: key.algorithm, custody: custodyOf(key) }));
      return [keyset.name, shortfallOf(`keyset ${keyset.name}`, [...signers, ...beside], demands)] as const;
    }),
  );
  // Both must hold where there are both; alone, the certificate's key is all there is.
  const alone = keysets.length > 0 ? undefined : shortfallOf('keyless', beside, demands);
  const shortfalls = [...judged.values(), alone].filter((each) => each !== undefined);
  const left = [...judged.values()].filter((each) => each === undefined).length;
  const [first] = shortfalls;
  const enough = keysets.length > 0 ? left >= threshold : alone === undefined;
  const tally = keysets.length > 0 ? `${left} of the ${threshold} keysets it needs may count; ` : '';
  const refusal =
    enough || first === undefined
      ? undefined
      : `authority ${name} cannot be satisfied: ${tally}${first.reason}`;
  return { authority: name, keysets: judged, refusal };
}

interface Signer {
  readonly algorithm: SignatureAlgorithm;
  readonly custody: KeyCustody;
}

/** The weakest key that a certificate for signing may have, made in software for one signature. */
const keylessSigner: Signer = { algorithm: 'ECDSA-P256', custody: 'unknown' };

function shortfallOf(
  what: string,
  signers: readonly Signer[],
  demands: readonly ComplianceDemand[],
): Shortfall | undefined {
  for (const demand of demands) {
    const { algorithms, custody } = imageComplianceProfiles[demand.level];
    const credited =
      custody === undefined ? signers : signers.filter((signer) => custody.custody.includes(signer.custody));
    const missed = algorithms.find((rule) => !credited.some(({ algorithm }) => isOneOf(rule, algorithm)));
    if (missed === undefined) continue;
    // The algorithm is there, and it is its custody that is not enough.
    const kept = signers.some(({ algorithm }) => isOneOf(missed, algorithm));
    const rule = kept && custody !== undefined ? custody : missed;
    return { demand, rule, reason: reasonOf(what, demand, rule) };
  }
  return undefined;
}

function isOneOf({ algorithms }: AlgorithmRule, algorithm: SignatureAlgorithm): boolean {
  return algorithms.includes(algorithm);
}

function reasonOf(what: string, { policy, level }: ComplianceDemand, rule: ImageComplianceRule): string {
  const sources = rule.sources.map((each) => `${each.document}, ${each.section}, read ${each.checkedOn}`);
  return `${what} does not count under ${level} of ${policy}, which asks for ${rule.text} (${sources.join('; ')})`;
}
