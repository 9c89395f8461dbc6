// The agent's calls to the control plane's Identity service.

import type { ClientHttp2Session } from 'node:http2';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { meshTls } from '../crypto/algorithms.ts';
import { CryptoError } from '../crypto/errors.ts';
import { generateSigningKey, type SigningKey } from '../crypto/keys.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { createCsr } from '../crypto/x509/csr.ts';
import { svidId } from '../crypto/x509/svid.ts';
import { checkAnchors } from '../crypto/x509/trust-anchors.ts';
import {
  JoinRequestSchema,
  JoinResponseSchema,
  MintWorkloadSvidRequestSchema,
  MintWorkloadSvidResponseSchema,
  MintWorkloadTokenRequestSchema,
  MintWorkloadTokenResponseSchema,
  RenewAgentRequestSchema,
  RenewAgentResponseSchema,
  type TrustBundle,
  type X509Svid,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import { unaryCall } from '../grpc/client.ts';
import { IdentityError } from '../identity/errors.ts';
import type { TlsCredentials } from '../identity/mesh-tls.ts';
import type { MintedToken } from '../identity/tokens/token-issuer.ts';
import { type TokenKeys, tokenKeysFromJwks } from '../identity/tokens/token-keys.ts';
import { maxTokenChars, type TokenType } from '../identity/tokens/types.ts';
import { tokenTypeToWire } from '../identity/tokens/wire.ts';
import { AgentError } from './errors.ts';

const service = '/trellis.identity.v1.Identity';
/** An answer needs one ML-DSA signature; this is for a control plane under load. */
const callTimeoutMs = 10_000;

/** An identity with its private key, which was made here and has not left this process. */
export interface HeldSvid extends TlsCredentials {
  readonly spiffeId: string;
  readonly leaf: Certificate;
  /** The trust bundle that came with it: what verifies certificates … */
  readonly anchors: readonly Certificate[];
  /** … and what verifies tokens. */
  readonly tokenKeys: TokenKeys;
}

/** What a join token is exchanged for. */
export interface Joined {
  readonly svid: HeldSvid;
  readonly workload: WorkloadName;
}

/** The pod that the agent was admitted for. */
export interface WorkloadName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Exchanges a join token for the agent's own identity. Whoever tries again because the answer was lost must use the same key:
 * the token is bound to it by then.
 * @throws GrpcError, AgentError ERR_AGENT_ANSWER
 */
export async function join(
  session: ClientHttp2Session,
  token: string,
  trustDomain: string,
  key: SigningKey = generateSigningKey(meshTls.signature),
): Promise<Joined> {
  const response = await call(session, 'Join', JoinRequestSchema, JoinResponseSchema, {
    token,
    csr: createCsr(key),
  });
  const workload = response.workload;
  if (workload === undefined) throw unusable('it lacks a workload');
  return {
    svid: held(key, response, trustDomain),
    workload: { namespace: workload.namespace, name: workload.name },
  };
}

/**
 * A new identity of the agent itself, for a key that is made here. The session proves the one it has.
 * @throws GrpcError, AgentError ERR_AGENT_ANSWER
 */
export async function renewAgent(session: ClientHttp2Session, trustDomain: string): Promise<HeldSvid> {
  const key = generateSigningKey(meshTls.signature);
  const response = await call(session, 'RenewAgent', RenewAgentRequestSchema, RenewAgentResponseSchema, {
    csr: createCsr(key),
  });
  return held(key, response, trustDomain);
}

/**
 * An identity of the workload, for a key that is made here.
 * @throws GrpcError, AgentError ERR_AGENT_ANSWER
 */
export async function mintWorkloadSvid(
  session: ClientHttp2Session,
  workload: WorkloadName,
  trustDomain: string,
): Promise<HeldSvid> {
  const key = generateSigningKey(meshTls.signature);
  const response = await call(
    session,
    'MintWorkloadSvid',
    MintWorkloadSvidRequestSchema,
    MintWorkloadSvidResponseSchema,
    {
      workload: { namespace: workload.namespace, name: workload.name },
      csr: createCsr(key),
    },
  );
  return held(key, response, trustDomain);
}

/** A token of a workload, as the control plane has just minted it. @throws GrpcError, AgentError ERR_AGENT_ANSWER */
export async function mintWorkloadToken(
  session: ClientHttp2Session,
  workload: WorkloadName,
  { type, audience }: { readonly type: TokenType; readonly audience: string },
): Promise<MintedToken> {
  const { token, expiresAt } = await call(
    session,
    'MintWorkloadToken',
    MintWorkloadTokenRequestSchema,
    MintWorkloadTokenResponseSchema,
    {
      workload: { namespace: workload.namespace, name: workload.name },
      type: tokenTypeToWire(type),
      audience,
    },
  );
  const expiry = expiresAt === undefined ? undefined : timestampDate(expiresAt);
  if (token === '' || token.length > maxTokenChars) throw unusable('it lacks a token');
  if (expiry === undefined || Number.isNaN(expiry.getTime())) throw unusable('its token has no expiry');
  return { token, expiresAt: expiry };
}

async function call<Request extends DescMessage, Response extends DescMessage>(
  session: ClientHttp2Session,
  method: string,
  requestSchema: Request,
  responseSchema: Response,
  request: MessageInitShape<Request>,
): Promise<MessageShape<Response>> {
  const bytes = toBinary(requestSchema, create(requestSchema, request));
  const response = await unaryCall(session, `${service}/${method}`, bytes, { timeoutMs: callTimeoutMs });
  try {
    return fromBinary(responseSchema, response);
  } catch (error) {
    throw unusable(`it is not a ${responseSchema.typeName}`, error);
  }
}

/** Takes from a response only what holds together: a leaf for our own key and its identity, and a bundle fit for the mesh. */
function held(
  key: SigningKey,
  response: { readonly svid?: X509Svid | undefined; readonly trustBundle?: TrustBundle | undefined },
  trustDomain: string,
): HeldSvid {
  const { svid, trustBundle } = response;
  const [first] = svid?.certificates ?? [];
  if (svid === undefined || first === undefined) throw unusable('it lacks an SVID');
  if (trustBundle === undefined) throw unusable('it lacks a trust bundle');
  try {
    const leaf = parseCertificate(first);
    if (!leaf.publicKey.equals(key.publicKey)) throw unusable('its certificate is for another key');
    const id = svidId(leaf);
    if (id.uri !== svid.spiffeId || id.trustDomain !== trustDomain)
      throw unusable('its certificate is for another identity');
    return {
      key,
      certificates: svid.certificates,
      spiffeId: svid.spiffeId,
      leaf,
      anchors: checkAnchors(trustBundle.x509Authorities.map(parseCertificate), trustDomain),
      tokenKeys: tokenKeysFromJwks({
        workloadTokens: trustBundle.workloadTokenKeys,
        jwtSvids: trustBundle.jwtSvidKeys,
      }),
    };
  } catch (error) {
    const isUnfit = error instanceof CryptoError || error instanceof IdentityError;
    throw isUnfit ? unusable(error.message, error) : error;
  }
}

function unusable(reason: string, cause?: unknown): AgentError {
  return new AgentError(
    'ERR_AGENT_ANSWER',
    `the answer of the control plane cannot be used: ${reason}. Is it a Trellis of another version?`,
    { cause },
  );
}
