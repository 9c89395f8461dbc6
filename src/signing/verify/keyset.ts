// The checklist for one keyset: whether everyone in it, and whoever must sign beside it, has signed one payload.

import type { Digest } from '../../registry/digest.ts';
import { type SignerName, sameSigners } from '../format/binding.ts';
import { signPredicateType } from '../format/statement.ts';
import type { PublicKey } from '../keys/public-key.ts';
import type { SignedPayload } from './payloads.ts';
import type { AttestationRequirement, KeylessVerifier } from './policy.ts';
import { keyLabel, type Question, type SignerGroup } from './question.ts';
import { quotable } from './reasons.ts';
import type { KeysetCode, KeysetVerdict } from './verdict.ts';

type Condition = AttestationRequirement['condition'];

/** Signatures, or attestations of a type. */
export type Asked = AttestationRequirement;

interface Shortfall {
  readonly code: Exclude<KeysetCode, 'holds'>;
  readonly reason: string;
}

/** @param payloads those of the predicate type that is asked for, about the image that is judged */
export function judgeGroup(
  group: SignerGroup,
  payloads: readonly SignedPayload[],
  asked: Asked,
  question: Question,
): KeysetVerdict {
  const name = group.keyset?.name ?? 'keyless';
  const unusable = whyUnusable(group, question);
  if (unusable !== undefined) return { name, ok: false, ...unusable, manifests: [] };

  let nearest: Shortfall | undefined;
  for (const payload of payloads) {
    const shortfall = whyNotSigned(group, payload, asked) ?? whyConditionFails(asked.condition, payload);
    if (shortfall === undefined) {
      const manifests = manifestsOf(group, payload);
      return { name, ok: true, code: 'holds', reason: 'all its signers have signed', manifests };
    }
    nearest = nearer(nearest, shortfall);
  }
  return { name, ok: false, ...(nearest ?? nobodySigned(group, asked)), manifests: [] };
}

/** Where the signatures of the group are. Others may have signed the same payload, if it does not say who signs it. */
function manifestsOf({ keyset, keyless }: SignerGroup, { signatures }: SignedPayload): readonly Digest[] {
  return signatures
    .filter(({ by }) =>
      by.kind === 'key'
        ? keyset?.keys.some(({ spkiSha256 }) => spkiSha256 === by.key.spkiSha256)
        : keyless !== undefined && by.acceptedBy.has(keyless),
    )
    .map(({ manifest }) => manifest);
}

/** What no signature can mend. */
function whyUnusable({ keyset }: SignerGroup, { policy, now }: Question): Shortfall | undefined {
  if (keyset === undefined) return undefined;
  const { notAfter, keys } = keyset;
  // Written so that a clock which gives no time has expired everything.
  if (notAfter !== undefined && !(now.getTime() < notAfter.getTime())) {
    return {
      code: 'expired',
      reason: `its notAfter was ${notAfter.toISOString()}; sign again with the keyset that follows it`,
    };
  }
  const revoked = keys.find((key) => policy.revokedKeys.has(key.spkiSha256));
  if (revoked === undefined) return undefined;
  return {
    code: 'key-revoked',
    reason: `its ${keyLabel(revoked)} is revoked; sign again with a keyset without it`,
  };
}

/** Undefined when all of the group, and nobody beside them, have signed this very payload. */
function whyNotSigned(group: SignerGroup, payload: SignedPayload, asked: Asked): Shortfall | undefined {
  const { keyless } = group;
  const keys = group.keyset?.keys ?? [];
  const missing = keys.filter((key) => !payload.keys.has(key.spkiSha256));
  const signings = keyless === undefined ? [keys] : withCertificate(keys, keyless, payload);
  if (missing.length > 0 || signings.length === 0) return incomplete(group, missing, asked);

  const { binding } = payload.statement;
  // Unbound payloads get here under bindReference none alone.
  if (binding === undefined || signings.some((signers) => sameSigners(binding.signers, signers)))
    return undefined;
  return {
    code: 'other-signers',
    reason: `its signers have signed, but together with others: ${binding.signers.map(keyLabel).join(', ')}; sign again with exactly its keys`,
  };
}

/** The signers of the group, once for each certificate that completes them. A key does not stand beside itself. */
function withCertificate(
  keys: readonly PublicKey[],
  keyless: KeylessVerifier,
  { certificates }: SignedPayload,
): readonly (readonly SignerName[])[] {
  return certificates
    .flatMap((acceptedBy) => acceptedBy.get(keyless)?.publicKey ?? [])
    .filter(({ spkiSha256 }) => !keys.some((key) => key.spkiSha256 === spkiSha256))
    .map((publicKey) => [...keys, publicKey]);
}

/** Anything but true is no, an error too. It sees what was parsed from the bytes that everyone signed. */
function whyConditionFails(condition: Condition, { statement }: SignedPayload): Shortfall | undefined {
  if (condition === undefined) return undefined;
  const outcome = evaluate(condition, statement);
  if (outcome === true) return undefined;
  return {
    code: 'condition-false',
    reason: `it is signed, but the condition ${condition.text} does not hold: ${quotable(String(outcome))}`,
  };
}

function evaluate(
  condition: NonNullable<Condition>,
  { predicateType, predicate, subject }: SignedPayload['statement'],
): unknown {
  try {
    return condition.holds({ predicateType, predicate, subject });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function nobodySigned({ keyset, keyless }: SignerGroup, { predicateType }: Asked): Shortfall {
  const signers = [
    ...(keyset?.keys.map(keyLabel) ?? []),
    ...(keyless === undefined ? [] : [keyless.description]),
  ];
  return {
    code: 'not-signed',
    reason:
      predicateType === signPredicateType
        ? `there is no valid signature of ${signers.join(' and ')}; sign with trellis sign`
        : `there is no attestation of this type by ${signers.join(' and ')}; trellis attest makes one`,
  };
}

/** @param missing keys of the group; none: the certificate is what is missing */
function incomplete(group: SignerGroup, missing: readonly PublicKey[], asked: Asked): Shortfall {
  const { keyset, keyless } = group;
  const present = keyset?.keys.filter((key) => !missing.includes(key)) ?? [];
  if (present.length === 0) return nobodySigned(group, asked);
  const lacking = missing.length > 0 ? labels(missing) : `${keyless?.description}`;
  return {
    code: missing.length > 0 ? 'signature-missing' : 'certificate-missing',
    reason: `${labels(present)} has signed, but over the same payload there is no valid signature of ${lacking}: it was removed, altered or never made; sign again with all of them at once`,
  };
}

function labels(keys: readonly PublicKey[]): string {
  return keys.map(keyLabel).join(' and ');
}

/** From the least to the most that there is: what is nearest to good explains best. */
const progress: readonly KeysetCode[] = [
  'not-signed',
  'other-signers',
  'signature-missing',
  'certificate-missing',
  'condition-false',
];

function nearer(a: Shortfall | undefined, b: Shortfall): Shortfall {
  return a === undefined || progress.indexOf(b.code) > progress.indexOf(a.code) ? b : a;
}
