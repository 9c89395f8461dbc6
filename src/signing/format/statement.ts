// in-toto statements (attestation framework v1, statement.md) as cosign v3 and Trellis write them: signatures, whose
// predicate type is cosign's, and attestations, whose predicate belongs to a schema of its own.

import { algorithmOf, type Digest, hexOf, parseDigest } from '../../registry/digest.ts';
import { RegistryError } from '../../registry/errors.ts';
import { type Binding, bindingMember, encodeBinding, parseBinding } from './binding.ts';
import { Members, shown } from './members.ts';

export type { Binding, SignerName } from './binding.ts';

/** What cosign v3 calls a signature of an image. */
export const signPredicateType = 'https://sigstore.dev/cosign/sign/v1';

export const statementType = 'https://in-toto.io/Statement/v1';
/** `cosign attest` v3 still writes it; its subjects have no annotations, hence never a binding. */
const oldStatementType = 'https://in-toto.io/Statement/v0.1';

/** A large SBOM has a few megabytes. */
export const maxStatementBytes = 6 * 1024 * 1024;

/** It is a URI, and stands in reports. */
const maxPredicateTypeChars = 512;

export interface Statement {
  /** The digest of the one subject. */
  readonly subject: Digest;
  readonly predicateType: string;
  readonly predicate: Readonly<Record<string, unknown>>;
  /** Of the subject: what `cosign sign -a` and `trellis sign -a` add. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Undefined in what cosign wrote by itself. */
  readonly binding: Binding | undefined;
}

export interface StatementInput {
  readonly subject: Digest;
  readonly predicateType: string;
  /** Of attestations; a signature has none. */
  readonly predicate?: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly binding: Binding;
}

const members: Members = new Members('ERR_STATEMENT_INVALID', 'the statement');

/**
 * Reads the payload of an envelope.
 * @throws SigningError ERR_STATEMENT_INVALID, ERR_BINDING_INVALID, ERR_JSON_INVALID, ERR_BUNDLE_TOO_LARGE
 */
export function parseStatement(payload: Uint8Array): Statement {
  const parsed = members.parse(payload, maxStatementBytes);
  const statement = members.object(parsed, 'it', ['_type', 'subject', 'predicateType', 'predicate']);
  const predicateType = members.text(statement['predicateType'], 'predicateType');
  if (predicateType === '') members.refuse('predicateType is empty');
  if (predicateType.length > maxPredicateTypeChars) members.refuse('predicateType is too long');
  const isSignature = predicateType === signPredicateType;
  const isOld = !isSignature && statement['_type'] === oldStatementType;
  if (!isOld) members.exactText(statement['_type'], '_type', statementType);
  const predicate = members.anyObject(statement['predicate'], 'predicate');
  const { subject, annotations } = readSubject(
    statement['subject'],
    members,
    isOld ? ['name'] : ['name', 'annotations'],
  );
  return {
    subject,
    predicateType,
    predicate,
    ...(isSignature ? ofSignature(predicate, annotations) : ofAttestation(annotations)),
  };
}

/**
 * The payload that everyone signs, byte by byte. It has been read back, so that nothing is signed which would not verify.
 * @throws SigningError ERR_STATEMENT_INVALID, ERR_BINDING_INVALID, ERR_JSON_INVALID, ERR_BUNDLE_TOO_LARGE
 */
export function encodeStatement(input: StatementInput): Buffer {
  const { subject, predicateType, predicate, annotations = {}, binding } = input;
  const isSignature = predicateType === signPredicateType;
  if (isSignature && predicate !== undefined) members.refuse('a signature has no predicate of its own');
  const bound = { [bindingMember]: encodeBinding(binding) };
  // Not spread over it, or the annotation of a caller would be lost without a word.
  if (Object.hasOwn(annotations, bindingMember))
    members.refuse(`"${bindingMember}" is a reserved annotation`);
  const payload = Buffer.from(
    JSON.stringify({
      _type: statementType,
      subject: [
        {
          digest: encodeDigest(subject),
          annotations: isSignature ? annotations : { ...annotations, ...bound },
        },
      ],
      predicateType,
      predicate: isSignature ? bound : predicate,
    }),
  );
  parseStatement(payload);
  return payload;
}

type BoundAnnotations = Pick<Statement, 'annotations' | 'binding'>;

/** cosign's predicate is empty; what stands in it beside our member could be a restriction that we do not know. */
function ofSignature(predicate: Readonly<Record<string, unknown>>, found: RawAnnotations): BoundAnnotations {
  members.object(predicate, 'the predicate of a signature', [], [bindingMember]);
  if (Object.hasOwn(found, bindingMember)) members.refuse(`"${bindingMember}" is a reserved annotation`);
  return { annotations: readAnnotations(found), binding: readBinding(predicate) };
}

function ofAttestation(found: RawAnnotations): BoundAnnotations {
  const { [bindingMember]: _, ...others } = found;
  return { annotations: readAnnotations(others), binding: readBinding(found) };
}

/** Whatever stands there is read as a binding: one that is malformed is an error, never none. */
function readBinding(holder: Readonly<Record<string, unknown>>): Binding | undefined {
  return Object.hasOwn(holder, bindingMember) ? parseBinding(holder[bindingMember]) : undefined;
}

type RawAnnotations = Readonly<Record<string, unknown>>;

/**
 * Exactly one subject with exactly one digest: several would leave open which of them was judged.
 * @param document says what is wrong
 * @param optional what the subject may have beside its digest: name, annotations
 */
export function readSubject(
  value: unknown,
  document: Members,
  optional: readonly string[],
): { readonly subject: Digest; readonly annotations: RawAnnotations } {
  if (!Array.isArray(value) || value.length !== 1) document.refuse('it has not exactly one subject');
  // The name is what the signer called the image; it decides nothing, the binding names the repository.
  const subject = document.object(value[0], 'the subject', ['digest'], optional);
  if (Object.hasOwn(subject, 'name')) document.text(subject['name'], 'the name of the subject');
  const digests = Object.entries(document.anyObject(subject['digest'], 'the digest of the subject'));
  const [only] = digests;
  if (only === undefined || digests.length > 1) document.refuse('the subject has not exactly one digest');
  return {
    subject: readDigest(only[0], only[1], document),
    annotations: Object.hasOwn(subject, 'annotations')
      ? document.anyObject(subject['annotations'], 'annotations')
      : {},
  };
}

function readDigest(algorithm: string, hex: unknown, document: Members): Digest {
  try {
    return parseDigest(`${algorithm}:${document.text(hex, 'the digest of the subject')}`);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return document.refuse(`the subject has no sha256 or sha512 digest, but ${shown({ [algorithm]: hex })}`);
  }
}

/** What `readSubject` reads as the digest. */
export function encodeDigest(digest: Digest): Readonly<Record<string, string>> {
  return { [algorithmOf(digest)]: hexOf(digest) };
}

function readAnnotations(found: RawAnnotations): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [
      name,
      members.text(value, `the annotation ${shown(name)}`),
    ]),
  );
}
