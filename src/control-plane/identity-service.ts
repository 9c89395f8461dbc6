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
import type { MeshState, NamespacedName, Workload } from '../model/mesh.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import type { AgentPeer } from './peer.ts';

export interface IdentityServiceOptions {
  readonly bundle: TrustBundle;
  /** The desired state; undefined before the first good one. */
  readonly state: () => MeshState | undefined;
  /** The agent at the other end of a call. @throws GrpcError UNAUTHENTICATED */
  readonly agentOf: (call: Call) => AgentPeer;
  readonly redeem: (token: string) => Promise<Redeemed>;
  /** The workload an agent was admitted for. */
  readonly workloadOf: (agentId: string) => Promise<NamespacedName | undefined>;
  readonly issue: (spiffeId: string, csr: Uint8Array) => IssuedSvid;
  readonly onIssued: (result: 'issued' | 'denied' | 'failed', detail: string) => void;
}

const service = '/trellis.identity.v1.Identity';

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
      const { agentId, workload } = await redeem(options, token);
      const [namespace = '', name = ''] = workload.split('/');
      const svid = issue(agentSpiffeId(bundle.trustDomain, agentId), csr);
      return { svid, trustBundle, workload: { namespace, name } };
    }),
    unary(options, 'RenewAgent', RenewAgentRequestSchema, RenewAgentResponseSchema, async ({ csr }, call) => {
      const { agentId } = options.agentOf(call);
      await heldWorkload(options, agentId);
      return { svid: issue(agentSpiffeId(bundle.trustDomain, agentId), csr), trustBundle };
    }),
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
        return { svid: issue(id, csr), trustBundle };
      },
    ),
  ]);
}

/** What a workload must satisfy for one of its agents to act for it, be it for an SVID or for its configuration. */
export type WorkloadAuthorization = Pick<IdentityServiceOptions, 'state' | 'workloadOf'>;

/**
 * The workload `name`, if this agent holds it and it runs.
 * @throws GrpcError PERMISSION_DENIED (another's workload), FAILED_PRECONDITION (it is not in the manifests, or not meshed)
 */
export async function authorizedWorkload(
  options: WorkloadAuthorization,
  agentId: string,
  name: NamespacedName,
): Promise<Workload> {
  if ((await heldWorkload(options, agentId)) !== name) {
    throw new GrpcError(status.permissionDenied, `agent ${agentId} does not hold the workload ${name}`);
  }
  const workload = options.state()?.workloads.get(name);
  if (workload === undefined) {
    throw new GrpcError(
      status.failedPrecondition,
      `there is no running pod ${name} in the manifests: add it, or correct the name the token was created for`,
    );
  }
  if (!workload.meshed) {
    throw new GrpcError(
      status.failedPrecondition,
      `the pod ${name} is not part of the mesh: give it a volume with csi.driver csi.trellis.quantum.io`,
    );
  }
  return workload;
}

async function heldWorkload(options: WorkloadAuthorization, agentId: string): Promise<NamespacedName> {
  const held = await options.workloadOf(agentId);
  if (held === undefined)
    throw new GrpcError(status.permissionDenied, `agent ${agentId} is not admitted any more`);
  return held;
}

function issueFor(options: IdentityServiceOptions, spiffeId: string, csr: Uint8Array): IssuedSvid {
  try {
    const svid = options.issue(spiffeId, csr);
    options.onIssued('issued', spiffeId);
    return svid;
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

async function redeem(options: IdentityServiceOptions, token: string): Promise<Redeemed> {
  try {
    return await options.redeem(token);
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
  return [`${service}/${method}`, { kind: 'unary', handle }];
}

function parse<Request extends DescMessage>(schema: Request, bytes: Uint8Array): MessageShape<Request> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(status.invalidArgument, `not a ${schema.typeName}`, { cause: error });
  }
}
