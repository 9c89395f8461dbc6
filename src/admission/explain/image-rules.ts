// The rules of one policy about images, told: who must sign what, and which keysets count for nothing.

import {
  authorityCompliance,
  type ComplianceDemand,
  type ImageAuthority,
  type ImageKey,
} from '../../policy/images/compliance.ts';
import type { ImageRule } from '../../policy/images/image-requirements.ts';
import { SigningError } from '../../signing/errors.ts';
import { publicKeyFromPem } from '../../signing/keys/public-key.ts';
import { custodyOf } from '../images/compliance-levels.ts';

export interface ExplainedImageRule {
  /** From 1, as messages count. */
  readonly rule: number;
  readonly match: readonly string[];
  readonly action: 'verify' | 'allow' | 'deny';
  /** All of them must be satisfied. */
  readonly authorities: readonly ExplainedAuthority[];
  readonly bindReference: 'repository' | 'none' | undefined;
  readonly attestations: readonly {
    readonly predicateType: string;
    readonly condition: string | undefined;
  }[];
}

interface ExplainedAuthority {
  readonly name: string;
  /** How many of the keysets must hold. */
  readonly threshold: number;
  readonly keysets: readonly {
    readonly name: string;
    /** ISO 8601. */
    readonly notAfter: string | undefined;
    /** Why it counts for nothing, whatever is signed; undefined: it counts, as far as the policies say. */
    readonly whyNot: string | undefined;
    readonly keys: readonly { readonly algorithm: string; readonly from: string }[];
  }[];
  readonly keyless: { readonly issuer: string; readonly subject: string } | undefined;
}

/** What takes keysets away. */
export interface KeysetTrial {
  readonly now: Date;
  /** SHA-256 of SubjectPublicKeyInfo, in hex. */
  readonly revokedKeys: ReadonlySet<string>;
  readonly levels: readonly ComplianceDemand[];
}

export function explainImageRules(
  rules: readonly ImageRule[],
  trial: KeysetTrial,
): readonly ExplainedImageRule[] {
  return rules.map(
    ({ match, action = 'verify', authorities = [], bindReference, attestations = [] }, index) => ({
      rule: index + 1,
      match,
      action,
      authorities: authorities.map((authority) => explainAuthority(authority, trial)),
      bindReference: action === 'verify' ? (bindReference ?? 'repository') : undefined,
      attestations: attestations.map(({ predicateType, condition }) => ({ predicateType, condition })),
    }),
  );
}

function explainAuthority(authority: ImageAuthority, trial: KeysetTrial): ExplainedAuthority {
  const { name, threshold = 1, keysets = [], keyless } = authority;
  const compliance = authorityCompliance(authority, trial.levels, custodyOf);
  return {
    name,
    threshold,
    keysets: keysets.map((keyset) => ({
      name: keyset.name,
      notAfter: keyset.notAfter,
      whyNot:
        whyEnded(keyset, trial) ??
        whyNotAllKeys(keyset, trial) ??
        compliance.keysets.get(keyset.name)?.reason,
      keys: keyset.keys.map((key) => ({ algorithm: key.algorithm, from: placeOf(key) })),
    })),
    keyless: keyless && {
      issuer: keyless.issuer ?? `matching ${keyless.issuerRegExp}`,
      subject: keyless.subject ?? `matching ${keyless.subjectRegExp}`,
    },
  };
}

type ImageKeyset = NonNullable<ImageAuthority['keysets']>[number];

function whyEnded({ notAfter }: ImageKeyset, { now }: KeysetTrial): string | undefined {
  // A keyset holds until this instant, and not at it.
  const holds = notAfter === undefined || now.getTime() < Date.parse(notAfter);
  return holds ? undefined : 'it has ended';
}

function whyNotAllKeys({ keys }: ImageKeyset, { revokedKeys }: KeysetTrial): string | undefined {
  return keys
    .map((key) => {
      const fingerprint = fingerprintOf(key);
      if (fingerprint === 'unreadable') return `its ${key.algorithm} key cannot be read`;
      return revokedKeys.has(fingerprint ?? '') ? `its ${key.algorithm} key is revoked` : undefined;
    })
    .find((reason) => reason !== undefined);
}

/** Undefined for a key of a service, which nobody asks here. */
function fingerprintOf({ publicKey, configMapRef }: ImageKey): string | undefined {
  if (publicKey === undefined) return configMapRef?.spkiSha256;
  try {
    return publicKeyFromPem(publicKey).spkiSha256;
  } catch (error) {
    if (error instanceof SigningError) return 'unreadable';
    throw error;
  }
}

function placeOf({ kms, configMapRef }: ImageKey): string {
  if (kms !== undefined) return kms;
  if (configMapRef !== undefined)
    return `ConfigMap ${configMapRef.name}, pinned to ${configMapRef.spkiSha256}`;
  return 'the policy';
}
