// Certificates, log entries, time-stamps and bundles with anything in them that an attacker or a careless authority could
// put there: real signatures throughout, over whatever the test wants.

import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  webcrypto,
} from 'node:crypto';
import type { Extension, JsonGeneralName } from '@peculiar/x509';
import { initializeTSA } from '@sigstore/mock';
import { tag } from '../../../src/crypto/der/tags.ts';
import {
  explicit,
  octetString,
  oid,
  sequence,
  smallInteger,
  tlv,
  utf8String,
} from '../../../src/crypto/der/write.ts';
import { pae, payloadType } from '../../../src/signing/format/dsse.ts';

// After the mocks, which bring the metadata functions that it wants.
export const x509 = await import('@peculiar/x509');

const hour = 3_600_000;
const minute = 60_000;

/** Fulcio's extensions, and the purposes of RFC 5280 §4.2.1.12. */
export const oids = {
  issuerV1: '1.3.6.1.4.1.57264.1.1',
  issuerV2: '1.3.6.1.4.1.57264.1.8',
  userName: '1.3.6.1.4.1.57264.1.7',
  sct: '1.3.6.1.4.1.11129.2.4.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

export interface ForgedAuthority {
  readonly key: KeyObject;
  /** DER. */
  readonly certificate: Buffer;
}

export interface AuthorityOptions {
  readonly name?: string;
  readonly issuer?: ForgedAuthority;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly purposes?: readonly string[];
  readonly extensions?: readonly Extension[];
  readonly key?: KeyObject;
}

/** A certificate authority of any validity; its own root unless it has an issuer. */
export async function forgeAuthority(options: AuthorityOptions = {}): Promise<ForgedAuthority> {
  const { name = 'CN=forged authority', issuer, ca = true, pathLength, purposes, extensions = [] } = options;
  const key = options.key ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const publicKey = await publicCryptoKey(key);
  const signer = issuer ?? { key, certificate: undefined };
  const signingKey = await privateCryptoKey(signer.key);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '05',
    subject: name,
    issuer: signer.certificate === undefined ? name : new x509.X509Certificate(signer.certificate).subject,
    notBefore: options.notBefore ?? new Date(Date.now() - 24 * hour),
    notAfter: options.notAfter ?? new Date(Date.now() + 24 * hour),
    publicKey,
    signingKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      ...(ca ? [new x509.BasicConstraintsExtension(true, pathLength, true)] : []),
      new x509.KeyUsagesExtension(
        ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      ...(purposes === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...purposes], true)]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(await publicCryptoKey(signer.key)),
      ...extensions,
    ],
  });
  return { key, certificate: Buffer.from(certificate.rawData) };
}

interface CtLog {
  log(certificate: ArrayBuffer, issuerId: ArrayBuffer): Promise<ArrayBuffer>;
}

export interface LeafOptions {
  readonly authority: ForgedAuthority;
  /** Of the signer; the private half is fine. */
  readonly key: KeyObject;
  readonly names?: readonly JsonGeneralName[];
  /** The whole subjectAltName, in place of `names`. */
  readonly rawNames?: Buffer;
  readonly issuerV1?: string | Buffer;
  readonly issuerV2?: string | Buffer;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly purposes?: readonly string[];
  readonly usages?: number;
  readonly ca?: boolean;
  readonly extensions?: readonly Extension[];
  readonly ctlog?: CtLog;
}

export const subject = 'https://ci.example/trading/orders/.pipeline@refs/heads/main';
export const issuer = 'https://token.ci.example';

/** A signing certificate, right in everything that is not given. */
export async function forgeLeaf(options: LeafOptions): Promise<Buffer> {
  const {
    authority,
    purposes = [oids.codeSigning],
    usages = x509.KeyUsageFlags.digitalSignature,
    issuerV2 = issuer,
    ca = false,
  } = options;
  const publicKey = await publicCryptoKey(options.key);
  const parent = new x509.X509Certificate(authority.certificate);
  const names =
    options.rawNames === undefined
      ? new x509.SubjectAlternativeNameExtension(
          [...(options.names ?? [{ type: 'url', value: subject }])],
          true,
        )
      : new x509.Extension('2.5.29.17', true, new Uint8Array(options.rawNames));
  const extensions: Extension[] = [
    new x509.KeyUsagesExtension(usages, true),
    ...(purposes.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
    ...(ca ? [new x509.BasicConstraintsExtension(true, undefined, true)] : []),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(await publicCryptoKey(authority.key)),
    names,
    ...(options.issuerV1 === undefined ? [] : [issuerExtension(oids.issuerV1, options.issuerV1)]),
    ...(issuerV2 === '' ? [] : [issuerExtension(oids.issuerV2, issuerV2)]),
    ...(options.extensions ?? []),
  ];
  const fields = {
    serialNumber: '11',
    issuer: parent.subject,
    notBefore: options.notBefore ?? new Date(Date.now() - minute),
    notAfter: options.notAfter ?? new Date(Date.now() + 9 * minute),
    publicKey,
    signingKey: await privateCryptoKey(authority.key),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions,
  };
  if (options.ctlog !== undefined) {
    const precertificate = await x509.X509CertificateGenerator.create(fields);
    const spki = createPublicKey(authority.key).export({ format: 'der', type: 'spki' });
    const issuerId = await webcrypto.subtle.digest('SHA-256', new Uint8Array(spki));
    const sct = Buffer.from(await options.ctlog.log(precertificate.rawData, issuerId));
    extensions.push(new x509.Extension(oids.sct, false, new Uint8Array(sctList(sct))));
  }
  return Buffer.from((await x509.X509CertificateGenerator.create(fields)).rawData);
}

/** A user name as Fulcio writes it: an otherName with a UTF8String. */
export function userNames(...values: readonly string[]): Buffer {
  return sequence(
    ...values.map((value) => {
      return tlv(0xa0, oid(oids.userName), explicit(0, utf8String(value)));
    }),
  );
}

function issuerExtension(id: string, value: string | Buffer): Extension {
  const text = typeof value === 'string' && id === oids.issuerV2 ? utf8String(value) : Buffer.from(value);
  return new x509.Extension(id, false, new Uint8Array(text));
}

/** RFC 6962 §3.3: an OCTET STRING with the list of SCTs, which the mock gives with its length in front. */
function sctList(sct: Buffer): Buffer {
  const list = Buffer.concat([Buffer.from([sct.length >> 8, sct.length & 0xff]), sct]);
  return octetString(list);
}

/** One entry as Rekor answers, of the mock of it. */
export interface RekorEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logID: string;
  readonly logIndex: number;
  readonly verification: {
    readonly signedEntryTimestamp: string;
    readonly inclusionProof: {
      readonly logIndex: number;
      readonly treeSize: number;
      readonly checkpoint: string;
      readonly hashes: readonly string[];
      readonly rootHash: string;
    };
  };
}

/** The entry as it stands in a bundle; a log of API version 2 signs no time of its own. */
export function bundleEntry(entry: RekorEntry, { promise = true } = {}): Record<string, unknown> {
  const { kind, apiVersion } = JSON.parse(Buffer.from(entry.body, 'base64').toString());
  const { signedEntryTimestamp, inclusionProof } = entry.verification;
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: hexToBase64(entry.logID) },
    kindVersion: { kind, version: apiVersion },
    ...(promise && {
      integratedTime: String(entry.integratedTime),
      inclusionPromise: { signedEntryTimestamp },
    }),
    inclusionProof: {
      logIndex: String(inclusionProof.logIndex),
      rootHash: hexToBase64(inclusionProof.rootHash),
      treeSize: String(inclusionProof.treeSize),
      hashes: inclusionProof.hashes.map(hexToBase64),
      checkpoint: { envelope: inclusionProof.checkpoint },
    },
    canonicalizedBody: entry.body,
  };
}

export interface BundleParts {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly certificate: Uint8Array;
  readonly entries?: readonly Record<string, unknown>[];
  readonly timestamps?: readonly Uint8Array[];
}

export function forgeBundle({
  payload,
  signature,
  certificate,
  entries = [],
  timestamps = [],
}: BundleParts): Buffer {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return Buffer.from(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: {
        certificate: { rawBytes: base64(certificate) },
        tlogEntries: entries,
        timestampVerificationData: {
          rfc3161Timestamps: timestamps.map((token) => ({ signedTimestamp: base64(token) })),
        },
      },
      dsseEnvelope: {
        payload: base64(payload),
        payloadType,
        signatures: [{ sig: base64(signature) }],
      },
    }),
  );
}

export function signPayload(key: KeyObject, payload: Uint8Array, hash = 'sha256'): Buffer {
  return sign(hash, pae(payloadType, payload), key);
}

/** A time-stamp authority with a clock of its own. Its certificates are valid from now on, for a year. */
export async function timestampAuthority(clock?: Date) {
  const tsa = await initializeTSA(generateKeyPairSync('ec', { namedCurve: 'P-256' }), clock);
  return {
    /** Leaf first. */
    chain: [Buffer.from(tsa.intCertificate.buffer), Buffer.from(tsa.rootCertificate.buffer)],
    timestamp: async (artifactHash: Buffer): Promise<Buffer> =>
      bytes(
        await tsa.timestamp({
          artifactHash,
          hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
          nonce: 1,
          policyOID: '1.3.6.1.4.1.57264.2',
        }),
      ),
  };
}

/** A TimeStampResp that has the right form and that nobody signed. */
export function unsignedToken({
  genTime = '20261121165106Z',
  signers = 1,
  contentType = '1.2.840.113549.1.9.16.1.4',
  padding = 0,
  after = Buffer.alloc(0),
}: {
  readonly genTime?: string;
  readonly signers?: number;
  readonly contentType?: string;
  /** Bytes of revocation lists. */
  readonly padding?: number;
  /** Behind the token, in the response. */
  readonly after?: Buffer;
}): Buffer {
  const imprint = sequence(sequence(oid('2.16.840.1.101.3.4.2.1')), octetString(Buffer.alloc(32)));
  const time = tlv(tag.generalizedTime, Buffer.from(genTime));
  const content = sequence(smallInteger(1), oid('1.2.3'), imprint, smallInteger(7), time);
  const signedData = sequence(
    smallInteger(3),
    tlv(tag.set),
    sequence(oid(contentType), explicit(0, octetString(content))),
    ...(padding > 0 ? [explicit(1, octetString(Buffer.alloc(padding)))] : []),
    tlv(tag.set, ...Array.from({ length: signers }, () => sequence())),
  );
  const token = sequence(oid('1.2.840.113549.1.7.2'), explicit(0, signedData));
  return sequence(sequence(smallInteger(0)), token, after);
}

export function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function bytes(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function hexToBase64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

async function privateCryptoKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  return key.toCryptoKey(curve(key), true, ['sign']);
}

async function publicCryptoKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.toCryptoKey(curve(publicKey), true, ['verify']);
}

function curve(key: KeyObject): { name: 'ECDSA'; namedCurve: string } {
  const curves: Readonly<Record<string, string>> = { secp384r1: 'P-384', secp521r1: 'P-521' };
  return { name: 'ECDSA', namedCurve: curves[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'P-256' };
}
