// Fakes of AWS KMS and Google Cloud KMS: small HTTP servers on the loopback interface that hold keys in memory and
// answer the few operations Trellis uses, in the protocol of the real SDKs and with the real services' limits as far as
// they are documented. No emulator knows ML-DSA. What they cannot show is that the real services behave like this.

import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { IssuingAlgorithm } from '../../src/crypto/algorithms.ts';
import { generateSigningKey, type SigningKey, signBytes, spkiDer } from '../../src/crypto/keys.ts';
import { parseSpki } from '../../src/crypto/spki.ts';
import { crc32c } from '../../src/signing/kms/crc32c.ts';
import { onEnd } from './cleanup.ts';
import { signDigest, signMu } from './kms-signing.ts';

type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

export interface FakeRequest {
  /** AWS: the action. Google: method and path with its query. */
  readonly what: string;
  readonly body: Json;
  readonly authorization: string | undefined;
}

export interface FakeKms {
  readonly url: string;
  readonly requests: FakeRequest[];
  /** Looks at an answer before it is sent; may change it, wait, or give none for ever. */
  meddle: (request: FakeRequest, answer: Answer) => Answer | Promise<Answer>;
}

async function start(answer: (request: FakeRequest) => Answer): Promise<FakeKms> {
  const fake = { url: '', requests: [] as FakeRequest[], meddle: (_: FakeRequest, given: Answer) => given };
  const server: Server = createServer((incoming, outgoing) => {
    void (async () => {
      const request = await read(incoming);
      fake.requests.push(request);
      const { status, body } = await (fake as FakeKms).meddle(request, answer(request));
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}

async function read(incoming: IncomingMessage): Promise<FakeRequest> {
  const content = await text(incoming);
  const target = incoming.headers['x-amz-target'];
  return {
    what: typeof target === 'string' ? target : `${incoming.method} ${incoming.url}`,
    body: content === '' ? {} : JSON.parse(content),
    authorization: incoming.headers.authorization,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(String(value), 'base64');
}

// AWS KMS, JSON 1.1 protocol.

const specs: Readonly<Record<IssuingAlgorithm, string>> = {
  'ML-DSA-65': 'ML_DSA_65',
  'ML-DSA-87': 'ML_DSA_87',
  'ECDSA-P256': 'ECC_NIST_P256',
  'ECDSA-P384': 'ECC_NIST_P384',
};
const accountPrefix = 'arn:aws:kms:eu-central-1:111122223333:';

export interface FakeAwsKms extends FakeKms {
  readonly keys: Map<string, SigningKey>;
  readonly aliases: Map<string, string>;
  /** Adds a key and gives its id. */
  add(algorithm: IssuingAlgorithm, alias?: string): string;
}

export async function startFakeAwsKms(): Promise<FakeAwsKms> {
  const keys = new Map<string, SigningKey>();
  const aliases = new Map<string, string>();
  const add = (algorithm: IssuingAlgorithm, alias?: string): string => {
    const id = `00000000-0000-4000-8000-${String(keys.size + 1).padStart(12, '0')}`;
    keys.set(id, generateSigningKey(algorithm));
    if (alias !== undefined) aliases.set(alias, id);
    return id;
  };
  const fake = await start((request) => answerAws(request, keys, aliases, add));
  return Object.assign(fake, { keys, aliases, add });
}

export function awsError(type: string, status = 400): Answer {
  return { status, body: { __type: type, message: `${type} of the fake` } };
}

function answerAws(
  { what, body, authorization }: FakeRequest,
  keys: Map<string, SigningKey>,
  aliases: Map<string, string>,
  add: FakeAwsKms['add'],
): Answer {
  if (
    !/^AWS4-HMAC-SHA256 Credential=.*\/kms\/aws4_request, .*Signature=[0-9a-f]{64}$/.test(authorization ?? '')
  )
    return awsError('IncompleteSignature');
  const named = String(body['KeyId'] ?? body['TargetKeyId']).replace(/^arn:[^/]*:(key\/|(?=alias\/))/, '');
  const id = aliases.get(named) ?? named;
  const key = keys.get(id);
  const action = what.replace('TrentService.', '');
  if (action === 'CreateKey') {
    const algorithm = (Object.keys(specs) as IssuingAlgorithm[]).find(
      (each) => specs[each] === body['KeySpec'],
    );
    if (algorithm === undefined || body['KeyUsage'] !== 'SIGN_VERIFY') return awsError('ValidationException');
    return { status: 200, body: { KeyMetadata: { KeyId: add(algorithm) } } };
  }
  if (key === undefined) return awsError('NotFoundException');
  if (action === 'GetPublicKey') {
    const KeySpec = specs[key.algorithm];
    const PublicKey = base64(spkiDer(key));
    return {
      status: 200,
      body: { KeyId: `${accountPrefix}key/${id}`, KeySpec, KeyUsage: 'SIGN_VERIFY', PublicKey },
    };
  }
  if (action === 'CreateAlias') {
    aliases.set(String(body['AliasName']), id);
    return { status: 200, body: {} };
  }
  return action === 'Sign' ? answerAwsSign(key, body) : awsError('UnsupportedOperationException');
}

function answerAwsSign(key: SigningKey, body: Json): Answer {
  const message = bytesOf(body['Message']);
  const wanted = { 'ECDSA-P256': 'ECDSA_SHA_256', 'ECDSA-P384': 'ECDSA_SHA_384' } as Record<string, string>;
  if (body['SigningAlgorithm'] !== (wanted[key.algorithm] ?? 'ML_DSA_SHAKE_256'))
    return awsError('InvalidKeyUsageException');
  const signature = signAws(key, String(body['MessageType']), message);
  if (signature === undefined) return awsError('ValidationException');
  return { status: 200, body: { Signature: base64(signature) } };
}

function signAws(key: SigningKey, type: string, message: Buffer): Buffer | undefined {
  const isEc = key.algorithm.startsWith('ECDSA');
  if (type === 'RAW' && message.length <= 4096) return signBytes(key, message);
  if (type === 'EXTERNAL_MU' && !isEc && message.length === 64) return signMu(key, message);
  if (type === 'DIGEST' && isEc) return signDigest(key, message);
  return undefined;
}

// Google Cloud KMS, REST.

export const keyRing = 'projects/p/locations/europe-west3/keyRings/r';

interface FakeVersion {
  readonly key: SigningKey;
  /** Of CryptoKeyVersionAlgorithm. */
  readonly algorithm: string;
  /** Looks at the key before it is ready. */
  pending: number;
  enabled: boolean;
}

export interface FakeGoogleKms extends FakeKms {
  /** By full name. */
  readonly versions: Map<string, FakeVersion>;
  /** Adds a version and gives its full name. */
  add(key: string, algorithm: keyof typeof googleAlgorithms, version?: number): string;
}

/** CryptoKeyVersionAlgorithm: the names, their numbers (the SDK asks for numbers) and what they mean. */
const googleAlgorithms = {
  EC_SIGN_P256_SHA256: { number: 12, algorithm: 'ECDSA-P256' },
  EC_SIGN_P384_SHA384: { number: 13, algorithm: 'ECDSA-P384' },
  PQ_SIGN_ML_DSA_65: { number: 56, algorithm: 'ML-DSA-65' },
  PQ_SIGN_ML_DSA_65_EXTERNAL_MU: { number: 67, algorithm: 'ML-DSA-65' },
  PQ_SIGN_ML_DSA_87: { number: 69, algorithm: 'ML-DSA-87' },
  PQ_SIGN_ML_DSA_87_EXTERNAL_MU: { number: 71, algorithm: 'ML-DSA-87' },
} as const satisfies Record<string, { number: number; algorithm: IssuingAlgorithm }>;
type GoogleAlgorithm = keyof typeof googleAlgorithms;

export async function startFakeGoogleKms(): Promise<FakeGoogleKms> {
  const versions = new Map<string, FakeVersion>();
  const add = (key: string, algorithm: GoogleAlgorithm, version = 1): string => {
    const name = `${keyRing}/cryptoKeys/${key}/cryptoKeyVersions/${version}`;
    const made = generateSigningKey(googleAlgorithms[algorithm].algorithm);
    versions.set(name, { key: made, algorithm, pending: 0, enabled: true });
    return name;
  };
  const fake = await start((request) => answerGoogle(request, versions, add));
  return Object.assign(fake, { versions, add });
}

/** Credentials with which the SDK signs its own access tokens: no token endpoint is asked. */
export async function writeGoogleCredentials(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = {
    type: 'service_account',
    project_id: 'p',
    private_key_id: 'of the test',
    private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    client_email: 'test@p.iam.gserviceaccount.com',
    client_id: '1',
    token_uri: 'http://127.0.0.1:1/token',
  };
  await writeFile(path, JSON.stringify(account), { mode: 0o600 });
}

export function googleError(code: number, status: string): Answer {
  return { status: code, body: { error: { code, status, message: `${status} of the fake` } } };
}

function answerGoogle(
  { what, body, authorization }: FakeRequest,
  versions: Map<string, FakeVersion>,
  add: FakeGoogleKms['add'],
): Answer {
  if (!/^Bearer .+/.test(authorization ?? '')) return googleError(401, 'UNAUTHENTICATED');
  const [method = '', target = ''] = what.split(' ');
  const url = new URL(target, 'http://fake');
  const path = decodeURIComponent(url.pathname).replace(/^\/v1\//, '');
  if (method === 'GET' && path.endsWith('/cryptoKeyVersions'))
    return listVersions(path, url.searchParams, versions);
  if (method === 'POST' && path.endsWith('/cryptoKeys')) {
    const template = (body['versionTemplate'] ?? {}) as Json;
    const algorithm = (Object.keys(googleAlgorithms) as GoogleAlgorithm[]).find((name) =>
      [name, googleAlgorithms[name].number].includes(template['algorithm'] as never),
    );
    if (algorithm === undefined) return googleError(400, 'INVALID_ARGUMENT');
    const version = versions.get(add(url.searchParams.get('cryptoKeyId') ?? '', algorithm));
    if (version !== undefined) version.pending = 2;
    return { status: 200, body: {} };
  }
  const name = path.replace(/(\/publicKey|:asymmetricSign)$/, '');
  const version = versions.get(name);
  if (version === undefined) return googleError(404, 'NOT_FOUND');
  if (!version.enabled || version.pending-- > 0) return googleError(400, 'FAILED_PRECONDITION');
  if (path.endsWith('/publicKey')) return publicKeyAnswer(name, version, url.searchParams);
  return signAnswer(name, version, body);
}

function listVersions(path: string, query: URLSearchParams, versions: Map<string, FakeVersion>): Answer {
  const found = [...versions].filter(
    ([name, { enabled }]) =>
      name.startsWith(`${path}/`) && (enabled || query.get('filter') !== 'state=ENABLED'),
  );
  if (found.length === 0 && ![...versions.keys()].some((name) => name.startsWith(`${path}/`)))
    return googleError(404, 'NOT_FOUND');
  return { status: 200, body: { cryptoKeyVersions: found.map(([name]) => ({ name })) } };
}

function publicKeyAnswer(name: string, { key, algorithm }: FakeVersion, query: URLSearchParams): Answer {
  const isPostQuantum = algorithm.startsWith('PQ');
  const format = query.get('publicKeyFormat');
  // 3 is NIST_PQC.
  if (isPostQuantum !== (format === '3')) return googleError(400, 'INVALID_ARGUMENT');
  const shared = { name, algorithm: googleAlgorithms[algorithm as GoogleAlgorithm].number };
  if (isPostQuantum) {
    const raw = parseSpki(spkiDer(key)).keyBits;
    const publicKey = { data: base64(raw), crc32cChecksum: String(crc32c(raw)) };
    return { status: 200, body: { ...shared, publicKeyFormat: 3, publicKey } };
  }
  const pem = key.publicKey.export({ format: 'pem', type: 'spki' }) as string;
  return { status: 200, body: { ...shared, pem, pemCrc32c: String(crc32c(Buffer.from(pem))) } };
}

function signAnswer(name: string, { key, algorithm }: FakeVersion, body: Json): Answer {
  const digest = (body['digest'] ?? {}) as Json;
  const isMessage = algorithm.startsWith('PQ') && !algorithm.endsWith('MU');
  const [member = '', value] = isMessage ? ['data', body['data']] : (Object.entries(digest)[0] ?? []);
  const wanted = { EC_SIGN_P256_SHA256: 'sha256', EC_SIGN_P384_SHA384: 'sha384' } as Record<string, string>;
  if (member !== (wanted[algorithm] ?? (isMessage ? 'data' : 'externalMu')))
    return googleError(400, 'INVALID_ARGUMENT');
  const input = bytesOf(value);
  if (isMessage && input.length > 64 * 1024) return googleError(400, 'INVALID_ARGUMENT');
  const checksum = isMessage ? body['dataCrc32c'] : body['digestCrc32c'];
  if (String(checksum) !== String(crc32c(input))) return googleError(400, 'INVALID_ARGUMENT');
  const signature = signGoogle(key, member, input);
  return {
    status: 200,
    body: {
      name,
      signature: base64(signature),
      signatureCrc32c: String(crc32c(signature)),
      [isMessage ? 'verifiedDataCrc32c' : 'verifiedDigestCrc32c']: true,
    },
  };
}

function signGoogle(key: SigningKey, member: string, input: Buffer): Buffer {
  if (member === 'data') return signBytes(key, input);
  return member === 'externalMu' ? signMu(key, input) : signDigest(key, input);
}
