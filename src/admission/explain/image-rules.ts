// The rules of one policy about images, told: who must sign what, and which keysets count for nothing.

import type { SignatureAlgorithm } from '../../crypto/algorithms.ts';
import {
  authorityCompliance,
  type ComplianceDemand,
  type ImageAuthority,
  type ImageKey,
} from '../../policy/images/compliance.ts';
import type { ImageRule } from '../../policy/images/image-requirements.ts';
import { SigningError } from '../../signing/errors.ts';
import { publicKeyFromPem } from '../../signing/keys/public-key.ts';
import { custodyOf } from '../images/policies/compliance-levels.ts';
import { shadowsOf } from './shadows.ts';

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
  /** Rules before it that match all that it matches, so that it never decides; empty: it may. */
  readonly shadowedBy: readonly number[];
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
  readonly keyless:
    | { readonly issuer: string; readonly subject: string; readonly trustedRoot: string }
    | undefined;
}

/** What takes keysets away. */
export interface KeysetTrial {
  readonly now: Date;
  /** SHA-256 of SubjectPublicKeyInfo, in hex. */
  readonly revokedKeys: ReadonlySet<string>;
  readonly levels: readonly ComplianceDemand[];
  /** Whether an entry of a ConfigMap of the policy's namespace is at hand. */
  readonly hasEntry: (name: string, key: string) => boolean;
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
      shadowedBy: shadowsOf(rules, index).map((shadow) => shadow + 1),
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
      keys: keyset.keys.map((key) => ({ algorithm: key.algorithm, from: placeOf(key, trial) })),
    })),
    keyless: keyless && {
      issuer: keyless.issuer ?? `matching ${keyless.issuerRegExp}`,
      subject: keyless.subject ?? `matching ${keyless.subjectRegExp}`,
      trustedRoot: entryText(keyless.trustedRoot.configMapRef, trial),
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
      const known = knownOf(key);
      if (known === 'unreadable')
        return `its ${key.algorithm} key cannot be read, so that its rule lets nothing in`;
      const { algorithm = key.algorithm, spkiSha256 = '' } = known;
      if (algorithm !== key.algorithm) {
        return `its ${key.algorithm} key is one of ${algorithm}, so that its rule lets nothing in`;
      }
      return revokedKeys.has(spkiSha256) ? `its ${key.algorithm} key is revoked` : undefined;
    })
    .find((reason) => reason !== undefined);
}

interface KnownKey {
  readonly algorithm?: SignatureAlgorithm | undefined;
  readonly spkiSha256?: string | undefined;
}

/** Of a key of a service nothing, and of one in a ConfigMap what the policy says of it: nobody is asked here. */
function knownOf({ publicKey, configMapRef }: ImageKey): KnownKey | 'unreadable' {
  if (publicKey === undefined) return { spkiSha256: configMapRef?.spkiSha256 };
  try {
    return publicKeyFromPem(publicKey);
  } catch (error) {
    if (error instanceof SigningError) return 'unreadable';
    throw error;
  }
}

function placeOf({ kms, configMapRef }: ImageKey, trial: KeysetTrial): string {
  if (kms !== undefined) return kms;
  if (configMapRef === undefined) return 'the policy';
  return `${entryText(configMapRef, trial)}, pinned to ${configMapRef.spkiSha256}`;
}

/** What is not at hand may be in the cluster, so that the keyset may count; without it no image gets in. */
function entryText(
  { name, key }: { readonly name: string; readonly key: string },
  { hasEntry }: KeysetTrial,
): string {
  return hasEntry(name, key)
    ? `ConfigMap ${name}`
    : `ConfigMap ${name}: not among these files (entry ${key})`;
}
