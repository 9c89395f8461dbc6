// Sigstore's TrustedRoot (sigstore/protobuf-specs, sigstore_trustroot.proto): whose certificates, log entries and
// time-stamps count. The file is the whole of the trust: nothing is fetched, nothing is built in.

import { X509Certificate } from 'node:crypto';
import { TrustedRoot as TrustedRootMessage } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import { isJsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { SigningError } from '../errors.ts';
import { type AuthorityUse, checkAuthorityCertificate } from './authority-certificate.ts';

/** A trusted root that was read and found usable. */
export interface TrustedRoot {
  /** For Sigstore's library; its key finder finds nothing. */
  readonly material: TrustMaterial;
}

/** The public-good instance's, with its history of keys, has 7 KB. */
export const maxTrustedRootBytes = 1024 * 1024;
const maxTrustedRootDepth = 16;

/** Every verification tries them one after the other. */
const maxAuthorities = 64;
const maxChainCertificates = 8;

const mediaTypes: ReadonlySet<string> = new Set([
  'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
]);

const howToGetOne =
  'write one with "cosign trusted-root create" for services of your own, or take the trusted_root.json that a TUF client of the instance keeps (cosign: ~/.sigstore/root/…/targets)';

/**
 * Reads a trusted root, as JSON.
 * @throws SigningError ERR_TRUSTED_ROOT_INVALID, with how to get one
 */
export function parseTrustedRoot(bytes: Uint8Array): TrustedRoot {
  try {
    const json = parseStrictJson(bytes, { maxBytes: maxTrustedRootBytes, maxDepth: maxTrustedRootDepth });
    if (!isJsonObject(json) || !mediaTypes.has(String(json['mediaType'])))
      throw new Error('its mediaType is none that Trellis reads');
    const message = TrustedRootMessage.fromJSON(json);
    checkMessage(message);
    return { material: toTrustMaterial(message, refuseKey) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw trustedRootError(`the trusted root cannot be read: ${reason}; ${howToGetOne}`, error);
  }
}

/**
 * What verifying keyless signatures needs is there: a certificate authority, and something that tells the time.
 * @throws SigningError ERR_TRUSTED_ROOT_INVALID
 */
export function requireKeylessTrust({ material }: TrustedRoot, requireLog: boolean): void {
  const { certificateAuthorities, timestampAuthorities, tlogs } = material;
  if (certificateAuthorities.length === 0) throw missing('certificate authority (certificateAuthorities)');
  if (requireLog && tlogs.length === 0)
    throw missing('transparency log (tlogs), and a log entry is demanded of every signature');
  if (tlogs.length === 0 && timestampAuthorities.length === 0)
    throw missing(
      'transparency log and no time-stamp authority, so nothing could prove when a signature was made',
    );
}

function missing(what: string): SigningError {
  return trustedRootError(`the trusted root names no ${what}; ${howToGetOne}`);
}

function trustedRootError(message: string, cause?: unknown): SigningError {
  return new SigningError('ERR_TRUSTED_ROOT_INVALID', message, cause);
}

/** Keys come from policies, never from here. */
function refuseKey(): never {
  throw new Error('the trusted root holds no public keys of signers');
}

function checkMessage(root: TrustedRootMessage): void {
  const { certificateAuthorities, timestampAuthorities, tlogs, ctlogs } = root;
  for (const list of [certificateAuthorities, timestampAuthorities, tlogs, ctlogs]) {
    if (list.length > maxAuthorities) throw new Error(`more than ${maxAuthorities} entries in one list`);
  }
  for (const authority of certificateAuthorities) checkChain(authority, 'code signing');
  for (const authority of timestampAuthorities) checkChain(authority, 'time-stamping');
  for (const { publicKey, logId } of [...tlogs, ...ctlogs]) {
    if (publicKey?.rawBytes === undefined || logId === undefined)
      throw new Error('a log without public key or logId');
    // A bound that is missing by mistake would let the key sign for all of the past.
    if (publicKey.validFor?.start === undefined)
      throw new Error('a log that does not say since when its key is in use (validFor.start)');
    checkRange(publicKey.validFor);
  }
}

type AuthorityMessage = TrustedRootMessage['certificateAuthorities'][number];

function checkChain({ certChain, validFor }: AuthorityMessage, use: AuthorityUse): void {
  checkRange(validFor);
  const certificates = certChain?.certificates ?? [];
  if (certificates.length === 0) throw new Error(`a ${use} authority without certificates`);
  if (certificates.length > maxChainCertificates)
    throw new Error(`a chain of more than ${maxChainCertificates} certificates`);
  for (const [index, { rawBytes }] of certificates.entries()) {
    checkAuthorityCertificate(rawBytes, use, index === 0);
  }
  // A path is followed until it ends in itself; where none can, nothing would verify and the reason would be obscure.
  if (!certificates.some(({ rawBytes }) => isSelfSigned(rawBytes)))
    throw new Error(`a ${use} chain without its self-signed root`);
}

function isSelfSigned(der: Buffer): boolean {
  const certificate = new X509Certificate(der);
  return certificate.verify(certificate.publicKey);
}

/** A date that cannot be read would be later than every other one in some comparisons, and earlier in others. */
function checkRange(range: { start?: Date | undefined; end?: Date | undefined } | undefined): void {
  for (const date of [range?.start, range?.end]) {
    if (date !== undefined && Number.isNaN(date.getTime())) throw new Error('a validity that is no date');
  }
}
