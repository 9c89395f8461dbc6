// The Identity service: how agents obtain identities. See proto/trellis/identity/v1/identity.proto.

import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  JoinRequestSchema,
  JoinResponseSchema,
  MintWorkloadSvidRequestSchema,
  MintWorkloadSvidResponseSchema,
  MintWorkloadTokenRequestSchema,
  MintWorkloadTokenResponseSchema,
  RenewAgentRequestSchema,
  RenewAgentResponseSchema,
  type WorkloadRef,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Call, Method } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import { IdentityError, type IdentityErrorCode } from '../identity/errors.ts';
import { agentSpiffeId } from '../identity/ids.ts';
import type { IssuedSvid } from '../identity/issuer.ts';
import type { Redeemed } from '../identity/join-tokens.ts';
import type { MintedToken } from '../identity/tokens/token-issuer.ts';
import type { TokenJwks } from '../identity/tokens/token-keys.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import { tokenTypeFromWire } from '../identity/tokens/wire.ts';
import type { NamespacedName } from '../model/mesh.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import { quarantineOf } from '../policy/effective.ts';
import { asked, type IssuanceResult, identityMethod, refusal } from './identity-method.ts';
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
  readonly onIssued: (result: IssuanceResult, detail: string) => void;
  /** What verifies tokens. */
  readonly tokenJwks: TokenJwks;
  /** See TokenIssuer. */
  readonly mintToken: (type: TokenType, spiffeId: string, audience: string) => MintedToken;
  /** `unknown`: the request does not say a type that there is. */
  readonly onMinted: (result: IssuanceResult, type: TokenType | 'unknown', detail: string) => void;
}

export function identityService(options: IdentityServiceOptions): ReadonlyMap<string, Method> {
  const { bundle, tokenJwks, onIssued: onRefused } = options;
  const admit = (call: Call): void => void options.agentOf(call);
  const trustBundle = {
    trustDomain: bundle.trustDomain,
    x509Authorities: bundle.anchors.map((anchor) => anchor.der),
    workloadTokenKeys: tokenJwks.workloadTokens,
    jwtSvidKeys: tokenJwks.jwtSvids,
  };
  const issue = (spiffeId: string, csr: Uint8Array) => {
    const svid = issueFor(options, spiffeId, csr);
    return { spiffeId, certificates: [...svid.certificates], notAfter: timestampFromDate(svid.notAfter) };
  };
  return new Map([
    identityMethod({
      name: 'Join',
      request: JoinRequestSchema,
      response: JoinResponseSchema,
      onRefused,
      answer: async ({ token, csr }) => {
        // First, so that a request that is refused costs no token.
        const publicKey = asked(() => options.requestedKey(csr));
        const { agentId, workload } = await redeem(options, token, publicKey);
        await bindIfRunning(options, agentId, workload);
        const [namespace = '', name = ''] = workload.split('/');
        const svid = issue(agentSpiffeId(bundle.trustDomain, agentId), csr);
        return { svid, trustBundle, workload: { namespace, name } };
      },
    }),
    identityMethod({
      name: 'RenewAgent',
      request: RenewAgentRequestSchema,
      response: RenewAgentResponseSchema,
      onRefused,
      admit: (call) => void options.renewingAgentOf(call),
      answer: async ({ csr }, call) => {
        const { agentId } = options.renewingAgentOf(call);
        await heldWorkload(options, agentId);
        return { svid: issue(agentSpiffeId(bundle.trustDomain, agentId), csr), trustBundle };
      },
    }),
    identityMethod({
      name: 'MintWorkloadSvid',
      request: MintWorkloadSvidRequestSchema,
      response: MintWorkloadSvidResponseSchema,
      onRefused,
      admit,
      answer: async ({ workload, csr }, call) => {
        const id = await authorizedId(options, workload, call);
        return { svid: issue(id, csr), trustBundle };
      },
    }),
    identityMethod({
      name: 'MintWorkloadToken',
      request: MintWorkloadTokenRequestSchema,
      response: MintWorkloadTokenResponseSchema,
      onRefused: (result, detail, request) => {
        const type = request === undefined ? undefined : tokenTypeFromWire(request.type);
        options.onMinted(result, type ?? 'unknown', detail);
      },
      admit,
      answer: async ({ workload, type: wireType, audience }, call) => {
        const id = await authorizedId(options, workload, call);
        const type = tokenTypeFromWire(wireType);
        if (type === undefined)
          throw new GrpcError(
            status.invalidArgument,
            `there is no type of token with the number ${wireType}`,
          );
        const { token, expiresAt } = asked(() => options.mintToken(type, id, audience));
        options.onMinted('issued', type, id);
        return { token, expiresAt: timestampFromDate(expiresAt) };
      },
    }),
  ]);
}

/** The identity of a workload, if this caller may have it. @throws GrpcError */
async function authorizedId(
  options: IdentityServiceOptions,
  ref: WorkloadRef | undefined,
  call: Call,
): Promise<string> {
  const { agentId } = options.agentOf(call);
  const name: NamespacedName = `${ref?.namespace ?? ''}/${ref?.name ?? ''}`;
  const workload = await authorizedWorkload(options, agentId, name);
  const id = workloadSpiffeId(options.bundle.trustDomain, workload.namespace, workload.serviceAccount);
  refuseQuarantined(options, id);
  return id;
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
