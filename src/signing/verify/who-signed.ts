// Who made the signature of a bundle: a key of the policy, or the holder of a certificate that it accepts. Nothing that
// the bundle says about itself decides: a hint only says which key to try first.

import type { Bundle } from '../format/bundle.ts';
import type { SignerName, Statement } from '../format/statement.ts';
import type { PublicKey } from '../keys/public-key.ts';
import type { KeylessIdentity, KeylessVerifier } from './policy.ts';
import { keyLabel, type Question, type SignerGroup } from './question.ts';
import type { Refusal } from './report.ts';
import type { SignatureChecks, SignedMessage } from './signature-checks.ts';

export type Signatory =
  | { readonly kind: 'key'; readonly key: PublicKey }
  | {
      readonly kind: 'certificate';
      /** For the report. */
      readonly identity: KeylessIdentity;
      /** Those who accept the certificate, and what each of them read in it. */
      readonly acceptedBy: ReadonlyMap<KeylessVerifier, KeylessIdentity>;
    };

export interface SignedBundle {
  readonly bundle: Bundle;
  /** What its signature must be over. */
  readonly message: SignedMessage;
  readonly statement: Statement;
  /** Those that the statement can be meant for. */
  readonly groups: readonly SignerGroup[];
}

/** @param hinted spkiSha256 of the key to try first */
export function signingKey(
  { bundle, message, groups }: SignedBundle,
  hinted: string | undefined,
  { policy }: Question,
  checks: SignatureChecks,
): Signatory | Refusal {
  const keys = hintedFirst(groups, hinted);
  for (const key of keys) {
    const made = checks.verify(key, message, bundle.signature);
    if (made === undefined) return tooManyChecks(checks);
    if (made) return policy.revokedKeys.has(key.spkiSha256) ? revoked(key) : { kind: 'key', key };
  }
  const [first] = keys;
  if (first === undefined || first.spkiSha256 !== hinted) {
    return { code: 'unknown-key', reason: 'no key of the policy made its signature' };
  }
  return {
    code: 'signature-invalid',
    reason: `its signature does not verify under the ${keyLabel(first)} that it names: it was altered; sign again`,
  };
}

export function signingCertificate(
  signed: SignedBundle,
  question: Question,
  checks: SignatureChecks,
): Signatory | Refusal {
  const acceptedBy = new Map<KeylessVerifier, KeylessIdentity>();
  let refusal = refused('the policy accepts no certificates of these signers');
  for (const keyless of new Set(signed.groups.map((group) => group.keyless))) {
    if (keyless === undefined) continue;
    const outcome = identityBehind(keyless, signed, question, checks);
    if ('code' in outcome) refusal = outcome;
    else acceptedBy.set(keyless, outcome);
  }
  const [identity] = acceptedBy.values();
  return identity === undefined ? refusal : { kind: 'certificate', identity, acceptedBy };
}

function identityBehind(
  keyless: KeylessVerifier,
  { bundle, message, statement: { binding } }: SignedBundle,
  { policy, now }: Question,
  checks: SignatureChecks,
): KeylessIdentity | Refusal {
  if (!checks.spendOnCertificate()) return tooManyChecks(checks);
  const outcome = verifyKeyless(keyless, bundle, now);
  if (!outcome.ok) return refused(`${keyless.description} does not accept it: ${outcome.reason}`);
  const { issuer, subject, publicKey } = outcome;
  // The verifier read the bundle its own way: the signature must be over the very bytes that are used here.
  const made = checks.verify(publicKey, message, bundle.signature);
  if (made === undefined) return tooManyChecks(checks);
  if (!made) return refused('its signature does not verify under the key of its certificate');
  if (policy.revokedKeys.has(publicKey.spkiSha256)) return revoked(publicKey);
  if (binding !== undefined && !names(binding.signers, publicKey)) {
    return refused(`the statement does not name the ${keyLabel(publicKey)} of its certificate`);
  }
  return { issuer, subject, publicKey };
}

function verifyKeyless(
  keyless: KeylessVerifier,
  bundle: Bundle,
  now: Date,
): ReturnType<KeylessVerifier['verify']> {
  try {
    return keyless.verify(bundle, now);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether the statement names this key. */
export function names(signers: readonly SignerName[], { algorithm, spkiSha256 }: SignerName): boolean {
  return signers.some((signer) => signer.algorithm === algorithm && signer.spkiSha256 === spkiSha256);
}

/** Each key of the groups once. */
function hintedFirst(groups: readonly SignerGroup[], hinted: string | undefined): readonly PublicKey[] {
  const keys = new Map<string, PublicKey>();
  for (const { keyset } of groups) {
    for (const key of keyset?.keys ?? []) keys.set(key.spkiSha256, key);
  }
  const first = hinted === undefined ? undefined : keys.get(hinted);
  return first === undefined ? [...keys.values()] : [...new Set([first, ...keys.values()])];
}

function refused(reason: string): Refusal {
  return { code: 'certificate-refused', reason };
}

function revoked(key: PublicKey): Refusal {
  return { code: 'key-revoked', reason: `the ${keyLabel(key)} is revoked; sign again with another key` };
}

function tooManyChecks({ spent }: SignatureChecks): Refusal {
  return {
    code: 'over-limit',
    reason: `${spent} signatures were verified before it, which is the limit (maxSignatureChecks); remove junk from the repository`,
  };
}
