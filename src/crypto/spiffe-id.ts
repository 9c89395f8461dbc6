// SPIFFE-ID.md §2: stricter than a URI, so that one identity has one spelling and comparing bytes is enough.

import { CryptoError } from './errors.ts';

/** SPIFFE-ID §2.3: the longest URI an implementation must support, and the longest one Trellis accepts, in bytes. */
export const maxSpiffeIdBytes = 2048;
/** SPIFFE-ID §2.1, in bytes. */
export const maxTrustDomainBytes = 255;

const scheme = 'spiffe://';
const trustDomainChars = /^[a-z0-9._-]+$/;
const pathSegmentChars = /^[A-Za-z0-9._-]+$/;

export interface SpiffeId {
  /** The whole URI. */
  readonly uri: string;
  readonly trustDomain: string;
  /** Empty for the trust domain itself, else it begins with a slash. */
  readonly path: string;
}

/**
 * Reads a SPIFFE ID. Refuses what a URI parser would let through or normalise: upper-case schemes and trust domains,
 * ports, user info, queries, fragments, percent-encoding, empty, `.` and `..` segments, a trailing slash.
 * @throws CryptoError ERR_SPIFFE_ID_INVALID
 */
export function parseSpiffeId(uri: string): SpiffeId {
  // The character sets below are ASCII, so the length in UTF-16 units is the length in bytes of anything accepted.
  if (uri.length > maxSpiffeIdBytes) throw invalid(uri, `longer than ${maxSpiffeIdBytes} bytes`);
  if (!uri.startsWith(scheme)) throw invalid(uri, `it must begin with ${scheme}`);
  const slash = uri.indexOf('/', scheme.length);
  const trustDomain = slash === -1 ? uri.slice(scheme.length) : uri.slice(scheme.length, slash);
  const path = slash === -1 ? '' : uri.slice(slash);
  checkTrustDomain(trustDomain, uri);
  if (path !== '') checkPath(path, uri);
  return { uri, trustDomain, path };
}

/**
 * Returns the name unchanged when it is a trust domain name (`cluster.local`, not `spiffe://cluster.local`).
 * @throws CryptoError ERR_SPIFFE_ID_INVALID
 */
export function parseTrustDomain(name: string): string {
  checkTrustDomain(name, name);
  return name;
}

function checkTrustDomain(name: string, whole: string): void {
  if (name === '') throw invalid(whole, 'the trust domain is empty');
  if (name.length > maxTrustDomainBytes)
    throw invalid(whole, `the trust domain is longer than ${maxTrustDomainBytes} bytes`);
  if (!trustDomainChars.test(name)) {
    throw invalid(whole, 'a trust domain has only lower-case letters, digits, dots, dashes and underscores');
  }
}

function checkPath(path: string, whole: string): void {
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') throw invalid(whole, 'the path has an empty segment or a trailing slash');
    if (segment === '.' || segment === '..') throw invalid(whole, 'the path has a relative segment');
    if (!pathSegmentChars.test(segment)) {
      throw invalid(whole, 'a path segment has only letters, digits, dots, dashes and underscores');
    }
  }
}

function invalid(text: string, reason: string): CryptoError {
  const maxQuoted = 128;
  const quoted = JSON.stringify(text.length > maxQuoted ? `${text.slice(0, maxQuoted)}…` : text);
  return new CryptoError('ERR_SPIFFE_ID_INVALID', `${quoted} is not a SPIFFE ID or trust domain: ${reason}`);
}
