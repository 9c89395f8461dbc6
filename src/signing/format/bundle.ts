// Sigstore bundles v0.3 (sigstore protobuf-specs, sigstore_bundle.proto, as protobuf JSON) around a DSSE envelope.
//
// The one adapter between this layout and the rest of Trellis: upstream's post-quantum bundle will be a second one.
// Bundles with a bare message signature are refused, for blobs too: such a signature names no purpose, its hash is chosen
// by the bundle, and sigstore-js cannot verify one of ML-DSA. A blob is signed by a statement with the blob's digest.

import { encodeBase64 } from '../base64.ts';
import { SigningError } from '../errors.ts';
import { encodeEnvelope, parseEnvelope } from './dsse.ts';
import { Members, shown } from './members.ts';
import { maxStatementBytes } from './statement.ts';
import { checkTlogEntry } from './tlog-entry.ts';

export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** A statement in base64, and as much as signatures, certificates and log entries may come to. */
export const maxBundleBytes = Math.ceil((maxStatementBytes * 4) / 3) + 256 * 1024;

/** One log or time-stamp authority is usual; a few more are redundancy. */
const maxTlogEntries = 8;
const maxTimestamps = 8;

export type BundleMaterial =
  | {
      readonly kind: 'key';
      /** By convention base64 of the key's spkiSha256; empty when absent. Nothing is decided by it. */
      readonly hint: string;
    }
  | {
      readonly kind: 'certificate';
      /** DER; the leaf first. Bundles v0.3 hold the leaf alone. */
      readonly chain: readonly Buffer[];
    };

export interface Bundle {
  /** The signed statement, byte by byte. */
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly material: BundleMaterial;
  /** The document itself, for @sigstore/verify. */
  readonly json: unknown;
  /** RFC 3161 tokens, not verified. */
  readonly timestamps: readonly Buffer[];
  readonly hasTlogEntries: boolean;
}

export interface KeyBundleInput {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly hint: string;
  readonly timestamps?: readonly Uint8Array[];
}

const members: Members = new Members('ERR_SIGSTORE_BUNDLE_INVALID', 'the bundle');

/**
 * Reads a bundle. Nothing in it has been verified then.
 * @param maxBytes lower than `maxBundleBytes` where no large attestation is expected
 * @throws SigningError ERR_BUNDLE_TOO_LARGE, ERR_JSON_INVALID, ERR_BUNDLE_MEDIA_TYPE, ERR_BUNDLE_NOT_DSSE,
 *   ERR_SIGSTORE_BUNDLE_INVALID, ERR_ENVELOPE_INVALID, ERR_ENVELOPE_SIGNATURE_COUNT, ERR_BASE64_INVALID
 */
export function parseBundle(bytes: Uint8Array, maxBytes: number = maxBundleBytes): Bundle {
  const json = members.parse(bytes, maxBytes);
  const { mediaType, messageSignature } = members.anyObject(json, 'it');
  if (mediaType !== bundleMediaType) throw otherMediaType(mediaType);
  if (messageSignature !== undefined) throw notDsse();
  const bundle = members.object(json, 'it', ['mediaType', 'verificationMaterial', 'dsseEnvelope']);
  const material = members.anyObject(bundle['verificationMaterial'], 'verificationMaterial');
  return {
    ...parseEnvelope(bundle['dsseEnvelope']),
    material: readMaterial(material),
    json,
    timestamps: readTimestamps(material),
    hasTlogEntries: readTlogEntries(material) > 0,
  };
}

/** The bundle of a signature made with a key that is known by itself, as cosign v3 and `parseBundle` read it. */
export function encodeKeyBundle({ payload, signature, hint, timestamps = [] }: KeyBundleInput): Buffer {
  const rfc3161Timestamps = timestamps.map((token) => ({ signedTimestamp: encodeBase64(token) }));
  return Buffer.from(
    JSON.stringify({
      mediaType: bundleMediaType,
      verificationMaterial: {
        publicKey: { hint },
        ...(timestamps.length > 0 && { timestampVerificationData: { rfc3161Timestamps } }),
      },
      dsseEnvelope: encodeEnvelope({ payload, signature }),
    }),
  );
}

type Material = Readonly<Record<string, unknown>>;

/** A key or a certificate, not both, and no chain: v0.3 has none (sigstore_bundle.proto, VerificationMaterial). */
function readMaterial(material: Material): BundleMaterial {
  const isCertificate = Object.hasOwn(material, 'certificate');
  members.object(
    material,
    'verificationMaterial',
    [isCertificate ? 'certificate' : 'publicKey'],
    ['tlogEntries', 'timestampVerificationData'],
  );
  if (!isCertificate) {
    const key = members.object(material['publicKey'], 'publicKey', [], ['hint']);
    return { kind: 'key', hint: Object.hasOwn(key, 'hint') ? members.text(key['hint'], 'hint') : '' };
  }
  const certificate = members.object(material['certificate'], 'certificate', ['rawBytes']);
  return { kind: 'certificate', chain: [members.base64(certificate['rawBytes'], 'the certificate')] };
}

function readTimestamps(material: Material): readonly Buffer[] {
  if (!Object.hasOwn(material, 'timestampVerificationData')) return [];
  const data = members.object(
    material['timestampVerificationData'],
    'timestampVerificationData',
    [],
    ['rfc3161Timestamps'],
  );
  if (!Object.hasOwn(data, 'rfc3161Timestamps')) return [];
  return members
    .array(data['rfc3161Timestamps'], 'rfc3161Timestamps', maxTimestamps)
    .map((entry) => members.object(entry, 'a time-stamp', ['signedTimestamp']))
    .map((entry) => members.base64(entry['signedTimestamp'], 'a time-stamp'));
}

function readTlogEntries(material: Material): number {
  if (!Object.hasOwn(material, 'tlogEntries')) return 0;
  const entries = members.array(material['tlogEntries'], 'tlogEntries', maxTlogEntries);
  for (const entry of entries) checkTlogEntry(members, entry);
  return entries.length;
}

function otherMediaType(mediaType: unknown): SigningError {
  return new SigningError(
    'ERR_BUNDLE_MEDIA_TYPE',
    `the bundle is refused: its media type is ${shown(mediaType)}; Trellis reads ${bundleMediaType}, which cosign 3 and trellis sign write`,
  );
}

function notDsse(): SigningError {
  return new SigningError(
    'ERR_BUNDLE_NOT_DSSE',
    'the bundle is refused: it holds a signature over bare bytes (messageSignature) in place of a DSSE envelope; sign with trellis sign or cosign 3',
  );
}
