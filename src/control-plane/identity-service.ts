// The Identity service: how agents obtain identities. See proto/trellis/identity/v1/identity.proto.

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { CryptoError } from '../crypto/errors.ts';
import {
  JoinRequestSchema,
  JoinResponseSchema,
  MintWorkloadSvidRequestSchema,
  MintWorkloadSvidResponseSchema,
  RenewAgentRequestSchema,
  RenewAgentResponseSchema,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Call, Method } from '../grpc/call.ts';
import { GrpcError, type StatusCode, status } from '../grpc/status.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import { IdentityError, type IdentityErrorCode } from '../identity/errors.ts';
import { agentSpiffeId } from '../identity/ids.ts';
import type { IssuedSvid } from '../identity/issuer.ts';
import type { Redeemed } from '../identity/join-tokens.ts';
import type { NamespacedName } from '../model/mesh.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import { quarantineOf } from '../policy/effective.ts';
import type { AgentPeer } from './peer.ts';
import { authorizedWorkload, heldWorkload, type WorkloadAuthorization } from './workload-authorization.ts';

export interface IdentityServiceOptions extends WorkloadAuthorization {
  readonly bundle: TrustBundle;
  /** The agent at the other end of a call. @throws GrpcError UNAUTHENTICATED */
  readonly agentOf: (call: Call) => AgentPeer;
  /** The same, for an agent that may have come too late to renew its SVID in time. @throws GrpcError UNAUTHENTICATED */
  readonly renewingAgentOf: (call: Call) => AgentPeer;
  /** The key of a request, if there may be an SVID for it; see SvidIssuer. */
  readonly requestedKey: (csr: Uint8Array) => Buffer;
  /** Admits the agent with this key. @throws IdentityError ERR_JOIN_TOKEN_… */
  readonly redeem: (token: string, publicKey: Uint8Array) => Promise<Redeemed>;
  readonly issue: (spiffeId: string, csr: Uint8Array) => IssuedSvid;
  readonly onIssued: (result: 'issued' | 'denied' | 'failed', detail: string) => void;
}

const service = '/trellis.identity.v1.Identity';
/** The largest request is a CSR for an ML-DSA-87 key, 7.3 KB (see maxCsrBytes), and a token or a name. */
const maxRequestBytes = 32 * 1024;

export function identityService(options: IdentityServiceOptions): ReadonlyMap<string, Method> {
  const { bundle } = options;
  const trustBundle = {
    trustDomain: bundle.trustDomain,
    x509Authorities: bundle.anchors.map((anchor) => anchor.der),
  };
  const issue = (spiffeId: string, csr: Uint8Array) => {
    const svid = issueFor(options, spiffeId, csr);
    return { spiffeId, certificates: [...svid.certificates], notAfter: timestampFromDate(svid.notAfter) };
  };
  return new Map([
    unary(options, 'Join', JoinRequestSchema, JoinResponseSchema, async ({ token, csr }) => {
      // First, so that a request that is refused costs no token.
      const publicKey = asked(() => options.requestedKey(csr));
      const { agentId, workload } = await redeem(options, token, publicKey);
      await bindIfRunning(options, agentId, workload);
      const [namespace = '', name = ''] = workload.split('/');
      const svid = issue(agentSpiffeId(bundle.trustDomain, agentId), csr);
      return { svid, trustBundle, workload: { namespace, name } };
    }),
    unary(
      options,
      'RenewAgent',
      RenewAgentRequestSchema,
      RenewAgentResponseSchema,
      async ({ csr }, call) => {
        const { agentId } = options.renewingAgentOf(call);
        await heldWorkload(options, agentId);
        return { svid: issue(agentSpiffeId(bundle.trustDomain, agentId), csr), trustBundle };
      },
      (call) => void options.renewingAgentOf(call),
    ),
    unary(
      options,
      'MintWorkloadSvid',
      MintWorkloadSvidRequestSchema,
      MintWorkloadSvidResponseSchema,
      async ({ workload: asked, csr }, call) => {
        const { agentId } = options.agentOf(call);
        const name: NamespacedName = `${asked?.namespace ?? ''}/${asked?.name ?? ''}`;
        const workload = await authorizedWorkload(options, agentId, name);
        const id = workloadSpiffeId(bundle.trustDomain, workload.namespace, workload.serviceAccount);
        refuseQuarantined(options, id);
        return { svid: issue(id, csr), trustBundle };
      },
      (call) => void options.agentOf(call),
    ),
  ]);
}

/** The pod that runs under the name now is the one the token was created for; one that comes later is at its first use. */
async function bindIfRunning(
  { state, bindToPod }: IdentityServiceOptions,
  agentId: string,
  name: NamespacedName,
): Promise<void> {
  const pod = state()?.workloads.get(name);
  if (pod !== undefined) await bindToPod(agentId, pod);
}

/** What nobody accepts any more is not made anew. */
function refuseQuarantined({ state }: IdentityServiceOptions, spiffeId: string): void {
  const mesh = state();
  const policy = mesh === undefined ? undefined : quarantineOf(mesh).get(spiffeId);
  if (policy === undefined) return;
  throw new GrpcError(status.permissionDenied, `${spiffeId} is in quarantine by ${policy}`);
}

function issueFor(options: IdentityServiceOptions, spiffeId: string, csr: Uint8Array): IssuedSvid {
  const svid = asked(() => options.issue(spiffeId, csr));
  options.onIssued('issued', spiffeId);
  return svid;
}

/** Does something with a request that may turn out to be wrong. */
function asked<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    // Whatever is wrong with the request is the caller's to know; the rest stays here.
    if (error instanceof CryptoError) throw refusal(status.invalidArgument, error);
    if (error instanceof IdentityError && error.code === 'ERR_SVID_KEY_NOT_ALLOWED') {
      throw refusal(status.invalidArgument, error);
    }
    throw error;
  }
}

const refusedTokens: ReadonlySet<IdentityErrorCode> = new Set([
  'ERR_JOIN_TOKEN_MALFORMED',
  'ERR_JOIN_TOKEN_UNKNOWN',
  'ERR_JOIN_TOKEN_USED',
  'ERR_JOIN_TOKEN_EXPIRED',
]);

async function redeem(
  options: IdentityServiceOptions,
  token: string,
  publicKey: Uint8Array,
): Promise<Redeemed> {
  try {
    return await options.redeem(token, publicKey);
  } catch (error) {
    if (error instanceof IdentityError && refusedTokens.has(error.code))
      throw refusal(status.unauthenticated, error);
    throw error;
  }
}

function refusal(code: StatusCode, error: CryptoError | IdentityError): GrpcError {
  return new GrpcError(code, `${error.code}: ${error.message}`, { cause: error });
}

function unary<Request extends DescMessage, Response extends DescMessage>(
  options: IdentityServiceOptions,
  method: string,
  requestSchema: Request,
  responseSchema: Response,
  answer: (request: MessageShape<Request>, call: Call) => Promise<MessageInitShape<Response>>,
  admit?: (call: Call) => void,
): [string, Method] {
  const handle = async (bytes: Uint8Array, call: Call): Promise<Uint8Array> => {
    try {
      return toBinary(
        responseSchema,
        create(responseSchema, await answer(parse(requestSchema, bytes), call)),
      );
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      options.onIssued(error instanceof GrpcError ? 'denied' : 'failed', `${method}: ${detail}`);
      throw error;
    }
  };
  return [
    `${service}/${method}`,
    { kind: 'unary', handle, maxRequestBytes, ...(admit === undefined ? {} : { admit }) },
  ];
}

function parse<Request extends DescMessage>(schema: Request, bytes: Uint8Array): MessageShape<Request> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(status.invalidArgument, `not a ${schema.typeName}`, { cause: error });
  }
}
