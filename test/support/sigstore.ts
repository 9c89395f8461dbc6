// Sigstore's services for tests: the mocks of sigstore-js (certificate authority with a log of certificates, Rekor v1,
// time-stamp authority) behind one HTTP server on loopback, and the trusted root that goes with them. Where the mocks are
// simpler than the real services, this is closer: Rekor answers with what it would keep, not with what it was sent, and
// the time-stamp authority speaks RFC 3161.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fulcioHandler, initializeCA, initializeCTLog, initializeTLog, initializeTSA } from '@sigstore/mock';
import { inside, readOid, readOnly } from '../../src/crypto/der/read.ts';
import { tag } from '../../src/crypto/der/tags.ts';
import { onEnd } from './cleanup.ts';
import type { RekorEntry } from './sigstore/forge.ts';

const hour = 3_600_000;

type Json = Record<string, unknown>;

export interface TrustedRootJson {
  mediaType: string;
  tlogs: LogJson[];
  certificateAuthorities: AuthorityJson[];
  ctlogs: LogJson[];
  timestampAuthorities: AuthorityJson[];
}

interface LogJson {
  baseUrl: string;
  hashAlgorithm: string;
  publicKey: { rawBytes: string; keyDetails: string; validFor: { start?: string; end?: string } };
  logId: { keyId: string };
}

interface AuthorityJson {
  subject: { organization: string; commonName: string };
  uri: string;
  certChain: { certificates: { rawBytes: string }[] };
  validFor: { start: string; end?: string };
}

export type Answer = (body: Buffer, request: IncomingMessage, response: ServerResponse) => unknown;

export interface TestSigstore {
  /** Of Fulcio and Rekor. */
  readonly url: string;
  readonly tsaUrl: string;
  readonly ctlog: Awaited<ReturnType<typeof initializeCTLog>>;
  /** Logs a body as it is, and gives the log's entry. */
  log(body: object): Promise<RekorEntry>;
  /** A TimeStampResp for the digest. */
  timestamp(sha256: Buffer, certReq?: boolean, nonce?: number): Promise<Buffer>;
  /** The trusted root, changed as the test likes. */
  trustedRoot(change?: (root: TrustedRootJson) => void): Buffer;
  /** What was asked for, in order: "POST /api/v2/signingCert". */
  readonly requests: string[];
  /** Answers requests of this path in place of the mock, until undefined is given. */
  instead(path: string, answer: Answer | undefined): void;
}

export const paths = {
  fulcio: '/api/v2/signingCert',
  rekor: '/api/v1/log/entries',
  tsa: '/api/v1/timestamp',
} as const;

export async function startSigstore(): Promise<TestSigstore> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `http://127.0.0.1:${address.port}`;
  const ctlog = await initializeCTLog(ecKey());
  const ca = await initializeCA(ecKey(), ctlog);
  const tlog = await initializeTLog(url, ecKey());
  const tsa = await initializeTSA(ecKey());
  const fulcio = fulcioHandler(ca);
  const entries = new Map<string, RekorEntry>();
  const log = async (body: object) => {
    const [[uuid, entry] = []] = Object.entries(await tlog.log(body)) as unknown as [string, RekorEntry][];
    if (uuid === undefined || entry === undefined) throw new Error('the mock of Rekor gave no entry');
    entries.set(uuid, entry);
    return { uuid, entry };
  };
  const timestamp = async (sha256: Buffer, certReq = true, nonce = 1) =>
    asBuffer(
      await tsa.timestamp({
        artifactHash: sha256,
        hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
        nonce,
        policyOID: '1.3.6.1.4.1.57264.2',
        certReq,
      }),
    );

  const answers: Record<string, Answer> = {
    [paths.fulcio]: async (body, request, response) => {
      const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      // cosign gives the token there, and the mock looks for it in the body.
      const credentials = bearer !== undefined && { credentials: { oidcIdentityToken: bearer } };
      const proposal = JSON.stringify({ ...credentials, ...JSON.parse(body.toString()) });
      const { statusCode, response: text } = await fulcio.fn(proposal);
      // Fulcio itself says 200, and cosign takes nothing else.
      sendJson(response, statusCode === 201 ? 200 : statusCode, String(text));
    },
    [paths.rekor]: async (body, _request, response) => {
      const { uuid, entry } = await log(kept(JSON.parse(body.toString())));
      response.setHeader('location', `${paths.rekor}/${uuid}`);
      // By which Rekor's Go client finds the entry in the answer.
      response.setHeader('etag', uuid);
      sendJson(response, 201, JSON.stringify({ [uuid]: entry }));
    },
    [paths.tsa]: async (body, request, response) => {
      const { hash, nonce, certReq } = readTimestampRequest(body, request);
      response.writeHead(201, { 'content-type': 'application/timestamp-reply' });
      response.end(await timestamp(hash, certReq, nonce));
    },
  };
  const replaced = new Map<string, Answer>();
  const requests: string[] = [];
  server.on('request', (request, response) => {
    void (async () => {
      const path = new URL(request.url ?? '/', url).pathname;
      requests.push(`${request.method} ${path}`);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const stored = path.startsWith(`${paths.rekor}/`) ? path.slice(paths.rekor.length + 1) : undefined;
      const entry = stored === undefined ? undefined : entries.get(stored);
      const answer = replaced.get(path) ?? answers[path];
      if (answer !== undefined) await answer(body, request, response);
      else if (stored !== undefined && entry !== undefined)
        sendJson(response, 200, JSON.stringify({ [stored]: entry }));
      else sendJson(response, 404, '{"message":"no such thing"}');
    })().catch((error: unknown) => sendJson(response, 500, JSON.stringify({ message: String(error) })));
  });

  const start = new Date(Date.now() - hour).toISOString();
  const authority = (commonName: string, chain: readonly ArrayBufferView[]): AuthorityJson => ({
    subject: { organization: 'sigstore.mock', commonName },
    uri: url,
    certChain: {
      certificates: chain.map((der) => ({ rawBytes: asBuffer(der).toString('base64') })),
    },
    validFor: { start },
  });
  const logOf = (publicKey: Buffer): LogJson => ({
    baseUrl: url,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: publicKey.toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start },
    },
    logId: { keyId: createHash('sha256').update(publicKey).digest('base64') },
  });
  return {
    url,
    tsaUrl: `${url}${paths.tsa}`,
    ctlog,
    log: async (body) => (await log(body)).entry,
    timestamp,
    requests,
    instead: (path, answer) => {
      if (answer === undefined) replaced.delete(path);
      else replaced.set(path, answer);
    },
    trustedRoot: (change = () => {}) => {
      const root: TrustedRootJson = {
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
        tlogs: [logOf(tlog.publicKey)],
        certificateAuthorities: [authority('sigstore', [ca.rootCertificate])],
        ctlogs: [logOf(ctlog.publicKey)],
        timestampAuthorities: [authority('tsa', [tsa.intCertificate, tsa.rootCertificate])],
      };
      change(root);
      return Buffer.from(JSON.stringify(root));
    },
  };
}

/** An identity token whose signature nobody checks: the mock of Fulcio reads its claims. */
export function identityToken(claims: Json = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const all = {
    iss: 'https://token.ci.example',
    sub: 'https://ci.example/trading/orders/.pipeline@refs/heads/main',
    aud: 'sigstore',
    iat: seconds,
    nbf: seconds - 1,
    exp: seconds + 600,
    ...claims,
  };
  return [part({ alg: 'RS256', typ: 'JWT' }), part(all), 'c2lnbmF0dXJl'].join('.');
}

/** What Rekor keeps of a proposed entry (sigstore/rekor, pkg/types): digests and signatures, and never the payload. */
function kept(proposed: Json): object {
  const { kind, apiVersion, spec } = proposed as { kind: string; apiVersion: string; spec: Json };
  if (kind === 'intoto') {
    const { content } = spec as { content: { envelope: Json } };
    const { payload: _, ...envelope } = content.envelope;
    return { kind, apiVersion, spec: { content: { ...content, envelope } } };
  }
  if (kind === 'dsse') {
    const { envelope, verifiers } = (spec as { proposedContent: { envelope: string; verifiers: string[] } })
      .proposedContent;
    const { payload, signatures } = JSON.parse(envelope) as {
      payload: string;
      signatures: { sig: string }[];
    };
    const hash = (bytes: string | Buffer) => ({
      algorithm: 'sha256',
      value: createHash('sha256').update(bytes).digest('hex'),
    });
    return {
      kind,
      apiVersion,
      spec: {
        envelopeHash: hash(envelope),
        payloadHash: hash(Buffer.from(payload, 'base64')),
        signatures: signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
      },
    };
  }
  return proposed;
}

/** RFC 3161 §2.4.1, and the JSON that Sigstore's authority takes too. */
function readTimestampRequest(
  body: Buffer,
  request: IncomingMessage,
): { hash: Buffer; nonce: number; certReq: boolean } {
  if (request.headers['content-type']?.includes('json')) {
    const json = JSON.parse(body.toString());
    return {
      hash: Buffer.from(json.artifactHash, 'base64'),
      nonce: json.nonce ?? 1,
      certReq: json.certificates ?? false,
    };
  }
  const fields = inside(readOnly(body, tag.sequence, 'request'));
  fields.next(tag.integer, 'version');
  const imprint = inside(fields.next(tag.sequence, 'messageImprint'));
  const algorithm = readOid(inside(imprint.next(tag.sequence, 'algorithm')).next(tag.oid, 'algorithm'));
  if (algorithm !== '2.16.840.1.101.3.4.2.1') throw new Error(`not SHA-256 but ${algorithm}`);
  const hash = imprint.next(tag.octetString, 'hash').content;
  fields.optional(tag.oid, 'policy');
  const nonce = fields.optional(tag.integer, 'nonce');
  const certReq = fields.optional(tag.boolean, 'certReq');
  // The mock holds nonces in a number: cosign's, of eight octets, are answered in part, and cosign does not look.
  const number = nonce === undefined ? 1 : Number(BigInt(`0x${nonce.content.toString('hex')}`) % 2n ** 52n);
  return { hash: Buffer.from(hash), nonce: number, certReq: certReq !== undefined };
}

function sendJson(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
}

function asBuffer(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function ecKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
