// Keyless signatures: a certificate says who signed, a transparency log or a time-stamp authority says when, and the
// trusted root says whose word counts for that. Sigstore's library follows the chains and checks log entries and
// time-stamps; the rest of what makes them evidence (log-entry.ts, signing-certificate.ts, verified-times.ts) is ours.

import { bundleFromJSON, type Bundle as SigstoreBundle } from '@sigstore/bundle';
import { type SignedEntity, Verifier } from '@sigstore/verify';
import { verifyBytes } from '../../crypto/keys.ts';
import type { Bundle } from '../format/bundle.ts';
import { pae, payloadType } from '../format/dsse.ts';
import { entityWithTimes } from '../timestamp/entity.ts';
import type { KeylessIdentity, KeylessVerifier } from '../verify/policy.ts';
import { type IdentityPattern, identityMatcher } from './identity-pattern.ts';
import { checkEntryCertificate } from './log-entry.ts';
import { Refused } from './refused.ts';
import { readSigningCertificate, type SigningCertificate } from './signing-certificate.ts';
import { requireKeylessTrust, type TrustedRoot } from './trusted-root.ts';
import { checkLogKeys, verifiedTimes } from './verified-times.ts';

export interface KeylessVerifierOptions {
  /** The OpenID Connect issuer that vouched for the subject. */
  readonly issuer: IdentityPattern;
  /** The certificate's one subject alternative name. */
  readonly subject: IdentityPattern;
  readonly trustedRoot: TrustedRoot;
  /** Demands an entry of a transparency log, not only a time-stamp. True unless given. */
  readonly requireLog?: boolean | undefined;
}

/** Whose signature it is, and when it provably existed. */
export interface KeylessEvidence extends KeylessIdentity {
  /** At least one. */
  readonly times: readonly Date[];
}

export type KeylessJudgement =
  | ({ readonly ok: true } & KeylessEvidence)
  | { readonly ok: false; readonly reason: string };

export interface SigstoreVerifier extends KeylessVerifier {
  verify(bundle: Bundle, now: Date): KeylessJudgement;
}

/**
 * A verifier for signatures of one identity. It needs no network, and throws nothing.
 * @throws SigningError ERR_VERIFICATION_POLICY_INVALID for a pattern, ERR_TRUSTED_ROOT_INVALID for a root that lacks what is needed
 */
export function keylessVerifier(options: KeylessVerifierOptions): SigstoreVerifier {
  const { trustedRoot, requireLog = true } = options;
  const issuer = identityMatcher('issuer', options.issuer);
  const subject = identityMatcher('subject', options.subject);
  requireKeylessTrust(trustedRoot, requireLog);
  const verifier = new Verifier(trustedRoot.material, {
    // RFC 6962: that the certificate is public, where the trusted root knows a log of certificates at all.
    ctlogThreshold: trustedRoot.material.ctlogs.length > 0 ? 1 : 0,
    tlogThreshold: requireLog ? 1 : 0,
    // Certificates live for minutes: without a proven time there is none at which one was valid.
    timestampThreshold: 1,
  });

  function judge(bundle: Bundle, now: Date): KeylessEvidence {
    const certificate = certificateOf(bundle);
    if (!issuer.matches(certificate.issuer))
      throw new Refused(`it was signed for an identity of ${certificate.issuer}, not ${issuer.description}`);
    if (!subject.matches(certificate.subject))
      throw new Refused(`it was signed by ${certificate.subject}, not by ${subject.description}`);
    const document = sameDocument(bundle, certificate);
    const entity = signedEntity(document, bundle, certificate);
    verifier.verify(entity);
    for (const entry of entity.tlogEntries) checkEntryCertificate(entry, certificate.der);
    const times = verifiedTimes(entity, now);
    checkLogKeys(entity, times, trustedRoot);
    const { publicKey } = certificate;
    return { issuer: certificate.issuer, subject: certificate.subject, publicKey, times };
  }

  return {
    description: `${subject.description}, ${issuer.description}`,
    verify: (bundle, now) => {
      try {
        return { ok: true, ...judge(bundle, now) };
      } catch (error) {
        return { ok: false, reason: reasonOf(error) };
      }
    },
  };
}

function certificateOf({ material }: Bundle): SigningCertificate {
  if (material.kind !== 'certificate') throw new Refused('it was signed with a key, not with a certificate');
  const [leaf, ...others] = material.chain;
  // Certificates beside the leaf would be the sender's idea of a chain; the trusted root's counts (CVE-2026-44310: none at all).
  if (leaf === undefined || others.length > 0)
    throw new Refused(`it holds ${material.chain.length} certificates where exactly one belongs`);
  return readSigningCertificate(leaf);
}

/** The library reads the document by itself: it must have found the bytes that everyone else uses (CVE-2026-44309). */
function sameDocument(bundle: Bundle, { der }: SigningCertificate): SigstoreBundle {
  const document = bundleFromJSON(bundle.json);
  const { content, verificationMaterial } = document;
  const envelope = content.$case === 'dsseEnvelope' ? content.dsseEnvelope : undefined;
  const material = verificationMaterial.content;
  const same =
    envelope?.payloadType === payloadType &&
    envelope.payload.equals(bundle.payload) &&
    envelope.signatures.length === 1 &&
    envelope.signatures[0]?.sig.equals(bundle.signature) === true &&
    material.$case === 'certificate' &&
    material.certificate.rawBytes.equals(der);
  if (!same) throw new Refused('two parsers read it differently');
  return document;
}

/** The library hashes with SHA-256 whatever the key; a key has one hash, and the algorithm table knows it. */
function signedEntity(
  document: SigstoreBundle,
  { payload, signature }: Bundle,
  { publicKey }: SigningCertificate,
): SignedEntity {
  const entity = entityWithTimes(document);
  const content = entity.signature;
  return {
    ...entity,
    signature: {
      signature,
      compareSignature: (other) => content.compareSignature(other),
      compareDigest: (digest) => content.compareDigest(digest),
      compareSignedDigest: (digest) => content.compareSignedDigest(digest),
      verifySignature: () => verifyBytes(publicKey.key, pae(payloadType, payload), signature),
    },
  };
}

/** The library's errors wrap each other; the innermost says what was wrong. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be verified';
  if (error instanceof Refused) return error.message;
  const inner = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
  return `it cannot be verified: ${inner}`;
}
