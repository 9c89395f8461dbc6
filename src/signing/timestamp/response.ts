// RFC 3161: time-stamp requests and responses, as far as a requester and a verifier have to look into them. The
// signature, its certificate and the time itself are checked by Sigstore's library.

import { createHash } from 'node:crypto';
import {
  type DerElement,
  type DerReader,
  derError,
  inside,
  readInteger,
  readOid,
  readOnly,
  readSmallInteger,
} from '../../crypto/der/read.ts';
import { contextConstructed, tag } from '../../crypto/der/tags.ts';
import {
  derTrue,
  octetString,
  oid,
  sequence,
  smallInteger,
  unsignedInteger,
} from '../../crypto/der/write.ts';

/** A response with the authority's chain has up to 8 KB. */
const maxResponseBytes = 32 * 1024;

const sha256Oid = '2.16.840.1.101.3.4.2.1';
const signedDataOid = '1.2.840.113549.1.7.2';
const tstInfoOid = '1.2.840.113549.1.9.16.1.4';

/** §2.4.2: granted, and granted with modifications. */
const grantedStatuses: ReadonlySet<number> = new Set([0, 1]);

/** What the authority signed (TSTInfo, §2.4.2), as far as it answers a request. */
export interface TimestampContent {
  readonly hashOid: string;
  readonly hash: Buffer;
  /** Big-endian, two's complement; undefined when there is none. */
  readonly nonce: Buffer | undefined;
  /** Milliseconds are the finest that is kept. */
  readonly time: Date;
}

/**
 * A TimeStampReq (§2.4.1) for the SHA-256 of the data, asking for the authority's certificate.
 * @param nonce big-endian, taken as non-negative
 */
export function timestampRequest(data: Uint8Array, nonce: Uint8Array): Buffer {
  const version = smallInteger(1);
  // RFC 5754 §2: the parameters of SHA-256 are absent.
  const imprint = sequence(sequence(oid(sha256Oid)), octetString(sha256(data)));
  // With the certificate inside, a trusted root need only name the authority's CA for verifiers that build the chain.
  return sequence(version, imprint, unsignedInteger(nonce), derTrue);
}

/**
 * The response answers this request, for this data.
 * @throws Error with the reason
 */
export function checkAnswersRequest(response: Uint8Array, data: Uint8Array, nonce: Uint8Array): void {
  const content = checkTimestampResponse(response);
  if (content.hashOid !== sha256Oid || !content.hash.equals(sha256(data)))
    throw derError('the time-stamp is for other data');
  const asked = readOnly(unsignedInteger(nonce), tag.integer, 'nonce').content;
  if (content.nonce === undefined || !content.nonce.equals(asked))
    throw derError('the time-stamp answers another request (nonce)');
}

/**
 * A TimeStampResp (§2.4.2) in DER: granted, one time-stamp by one signer, and nothing besides, so that every reader finds
 * the same one.
 * @throws CryptoError ERR_DER with the reason
 */
export function checkTimestampResponse(response: Uint8Array): TimestampContent {
  if (response.length > maxResponseBytes)
    throw derError(`the time-stamp is longer than ${maxResponseBytes} bytes`);
  const fields = inside(readOnly(response, tag.sequence, 'time-stamp response'));
  const status = inside(fields.next(tag.sequence, 'status'));
  const code = readSmallInteger(status.next(tag.integer, 'status'), 'status');
  if (!grantedStatuses.has(code)) throw derError(`the time-stamp was not granted (status ${code})`);
  const token = fields.next(tag.sequence, 'time-stamp token');
  fields.end('time-stamp response');
  return readToken(token);
}

/** ContentInfo and SignedData (RFC 5652 §3, §5.1). */
function readToken(token: DerElement): TimestampContent {
  const contentInfo = inside(token);
  expectOid(contentInfo, signedDataOid, 'time-stamp token');
  const wrapper = contentInfo.next(contextConstructed(0), 'time-stamp token');
  contentInfo.end('time-stamp token');
  const signedData = inside(readOnly(wrapper.content, tag.sequence, 'SignedData'));
  signedData.next(tag.integer, 'version');
  signedData.next(tag.set, 'digestAlgorithms');
  const encapsulated = inside(signedData.next(tag.sequence, 'encapContentInfo'));
  signedData.optional(contextConstructed(0), 'certificates');
  signedData.optional(contextConstructed(1), 'crls');
  const signers = inside(signedData.next(tag.set, 'signerInfos'));
  signedData.end('SignedData');
  // §2.4.2: it must not hold any signature but the authority's.
  signers.next(tag.sequence, 'SignerInfo');
  signers.end('signerInfos');
  expectOid(encapsulated, tstInfoOid, 'time-stamp');
  const content = encapsulated.next(contextConstructed(0), 'TSTInfo');
  encapsulated.end('encapContentInfo');
  return readTstInfo(readOnly(content.content, tag.octetString, 'TSTInfo').content);
}

function readTstInfo(bytes: Buffer): TimestampContent {
  const fields = inside(readOnly(bytes, tag.sequence, 'TSTInfo'));
  fields.next(tag.integer, 'version');
  fields.next(tag.oid, 'policy');
  const imprint = inside(fields.next(tag.sequence, 'messageImprint'));
  const algorithm = inside(imprint.next(tag.sequence, 'hashAlgorithm'));
  const hashOid = readOid(algorithm.next(tag.oid, 'hashAlgorithm'));
  const hash = imprint.next(tag.octetString, 'hashedMessage').content;
  imprint.end('messageImprint');
  fields.next(tag.integer, 'serialNumber');
  const time = readGenTime(fields.next(tag.generalizedTime, 'genTime').content);
  fields.optional(tag.sequence, 'accuracy');
  fields.optional(tag.boolean, 'ordering');
  const nonce = fields.optional(tag.integer, 'nonce');
  return { hashOid, hash, nonce: nonce === undefined ? undefined : readInteger(nonce, 'nonce'), time };
}

const genTimeForm = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d*[1-9]))?Z$/;

/** §2.4.2: seconds and, without trailing zeros, any fraction of one. */
function readGenTime(content: Buffer): Date {
  const [, year, month, day, hour, minute, second, fraction = ''] =
    genTimeForm.exec(content.toString('latin1')) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
  const time = new Date(iso);
  // Date accepts 24:00; only a real time prints back as it was written.
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) throw derError('genTime: no such time');
  return time;
}

function expectOid(reader: DerReader, expected: string, what: string): void {
  if (readOid(reader.next(tag.oid, what)) !== expected) throw derError(`${what}: of another content type`);
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
