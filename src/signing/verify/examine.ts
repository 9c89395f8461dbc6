// The checklist for one bundle. What is cheap comes first and signatures come last, so that junk costs little; nothing
// that a statement says counts until the signature over its very bytes has been verified.

import type { Digest } from '../../registry/digest.ts';
import { type SignerName, type Statement, signPredicateType } from '../format/statement.ts';
import type { FoundBundle } from './found.ts';
import { keyLabel, type Question, type SignerGroup, signerGroups } from './question.ts';
import { quotable } from './reasons.ts';
import { type Description, describe, type Refusal, statementOf } from './report.ts';
import { messageOf, type SignatureChecks } from './signature-checks.ts';
import type { SignatureReport } from './verdict.ts';
import { names, type Signatory, signingCertificate, signingKey } from './who-signed.ts';

/** A verified signature over one payload. */
export interface CountedSignature {
  /** Of the referrer that holds it. */
  readonly manifest: Digest;
  /** Equal for byte-identical payloads only. */
  readonly payloadId: string;
  /** Parsed from those bytes. */
  readonly statement: Statement;
  readonly by: Signatory;
}

export interface Examined {
  readonly report: SignatureReport;
  /** Undefined unless the report is `ok`. */
  readonly counted: CountedSignature | undefined;
}

/** Judges one bundle by itself: whether its signature may count toward a keyset at all. */
export function examine(found: FoundBundle, question: Question, checks: SignatureChecks): Examined {
  if (found.kind === 'unread') return refuse(describe(found, undefined), found);
  const { bundle } = found;

  const statement = statementOf(bundle);
  if ('code' in statement) return refuse(describe(found, undefined), statement);
  const description = describe(found, statement);

  const problem =
    aboutAnotherImage(statement, question) ??
    ofAnotherType(statement, question) ??
    boundElsewhere(statement, question) ??
    otherAnnotations(statement, question);
  if (problem !== undefined) return refuse(description, problem);

  const groups = groupsMeant(statement, question);
  if (groups.length === 0) return refuse(description, byOthers(statement));

  const message = messageOf(bundle.payload);
  const signed = { bundle, message, statement, groups };
  const by =
    bundle.material.kind === 'key'
      ? signingKey(signed, description.claimed.spkiSha256, question, checks)
      : signingCertificate(signed, question, checks);
  if ('code' in by) return refuse(description, by);

  return count(description, { manifest: found.manifest, payloadId: message.id, statement, by });
}

function aboutAnotherImage({ subject }: Statement, { digest }: Question): Refusal | undefined {
  if (subject === digest) return undefined;
  return {
    code: 'wrong-digest',
    reason: `it is about ${subject}; the signature of an index does not cover the images in it, sign them too (trellis sign --recursive)`,
  };
}

function ofAnotherType({ predicateType }: Statement, { policy }: Question): Refusal | undefined {
  const asked = [signPredicateType, ...policy.attestations.map((each) => each.predicateType)];
  if (asked.includes(predicateType)) return undefined;
  return {
    code: 'other-predicate',
    reason: 'it is an attestation of a type that the policy does not ask for',
  };
}

function boundElsewhere({ binding }: Statement, { policy, repository }: Question): Refusal | undefined {
  if (policy.bindReference === 'none') return undefined;
  if (binding === undefined) {
    return {
      code: 'unbound',
      reason:
        'it names neither signers nor repository, as signatures by cosign do not; sign with trellis sign, or set bindReference: none',
    };
  }
  if (binding.reference === repository) return undefined;
  return {
    code: 'wrong-repository',
    reason: `it was made for ${binding.reference}, not for ${repository}; sign the image under the name it is run by`,
  };
}

/** Annotations say something about a signature (`cosign sign -a`); an attestation has conditions instead. */
function otherAnnotations(statement: Statement, { policy }: Question): Refusal | undefined {
  if (statement.predicateType !== signPredicateType) return undefined;
  const { annotations } = statement;
  const { annotations: demanded = {}, exactAnnotations = false } = policy;
  const lacking = Object.entries(demanded).find(
    ([name, value]) => !Object.hasOwn(annotations, name) || annotations[name] !== value,
  );
  if (lacking !== undefined) {
    return {
      code: 'wrong-annotations',
      reason: `it has no annotation ${lacking.join('=')}, which the policy demands; sign with -a ${lacking.join('=')}`,
    };
  }
  const further = Object.entries(annotations).find(([name]) => !Object.hasOwn(demanded, name));
  if (!exactAnnotations || further === undefined) return undefined;
  return {
    code: 'wrong-annotations',
    reason: `it has the annotation ${further.join('=')} as well, which was not asked for; sign without it`,
  };
}

/**
 * The groups of signers that the statement can be meant for. One that names its signers is for exactly those, so that
 * neither halves of two signings nor a part of a larger keyset are taken for a signature of a smaller one.
 */
function groupsMeant({ binding }: Statement, { policy }: Question): readonly SignerGroup[] {
  const groups = policy.authorities.flatMap(signerGroups);
  if (binding === undefined) return groups;
  return groups.filter(({ keyset, keyless }) => {
    const keys = keyset?.keys ?? [];
    // The key of a certificate is made for one signing; whether it is the one named, its certificate will tell.
    const others = keyless === undefined ? 0 : 1;
    return (
      binding.signers.length === keys.length + others && keys.every((key) => names(binding.signers, key))
    );
  });
}

function byOthers({ binding }: Statement): Refusal {
  const labels = (binding?.signers ?? []).map(keyLabel);
  const [by, keys] =
    labels.length === 1
      ? [`${labels[0]} alone`, 'this key and no other']
      : [`${labels.join(' and ')} together`, 'exactly these keys'];
  return {
    code: 'other-signers',
    reason: `it is signed by ${by}, and no keyset of the policy has ${keys}; sign with all keys of one of its keysets, and no others`,
  };
}

function refuse(description: Description, { code, reason }: Refusal): Examined {
  return { report: { ...description, ok: false, code, reason: quotable(reason) }, counted: undefined };
}

function count(description: Description, counted: CountedSignature): Examined {
  const { key, identity } = signerOf(counted.by);
  const signer = identity === undefined ? `the ${keyLabel(key)}` : `${identity.subject} (${identity.issuer})`;
  return {
    report: {
      ...description,
      algorithm: key.algorithm,
      spkiSha256: key.spkiSha256,
      identity,
      ok: true,
      code: 'valid',
      reason: quotable(`signed by ${signer}`),
    },
    counted,
  };
}

type NamedSigner = { readonly key: SignerName } & Pick<SignatureReport, 'identity'>;

function signerOf(by: Signatory): NamedSigner {
  if (by.kind === 'key') return { key: by.key, identity: undefined };
  const { publicKey, issuer, subject } = by.identity;
  return { key: publicKey, identity: { issuer, subject } };
}
