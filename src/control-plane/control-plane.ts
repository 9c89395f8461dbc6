// The control plane: manifests in, identities and Envoy configuration out.

import { createSecureServer } from 'node:http2';
import type { Call, Method } from '../grpc/call.ts';
import { grpcLimits, http2ServerOptions } from '../grpc/limits.ts';
import { serveGrpc } from '../grpc/server.ts';
import type { PodBinding } from '../identity/agent-registry.ts';
import { meshTlsOptions } from '../identity/mesh-tls.ts';
import { shortestUse } from '../identity/renewal.ts';
import type { MeshState } from '../model/mesh.ts';
import { componentLogger } from '../telemetry/logger.ts';
import { typeUrls } from '../xds/resources.ts';
import { MeshSnapshots } from '../xds/snapshots.ts';
import type { MeshSettings } from '../xds/translate/settings.ts';
import { type Authority, openAuthority } from './authority.ts';
import { discoveryServices } from './discovery-services.ts';
import { identityService } from './identity-service.ts';
import { type ListenAddress, listen } from './listen.ts';
import { type MeshSourceOptions, watchMesh } from './mesh-source.ts';
import { PeerAuthenticator } from './peer.ts';
import { PublishedMesh } from './published-mesh.ts';
import { PushDelay } from './push-delay.ts';
import { issueServerIdentity, renewServerIdentity } from './server-identity.ts';
import { guardStrangers } from './strangers.ts';

export interface ControlPlaneOptions extends MeshSourceOptions {
  /** Holds the CA, the join tokens and the admitted agents; created when it is not there. */
  readonly stateDirectory: string;
  readonly listen: ListenAddress;
  readonly svidLifetimeMs: number;
  /** Whether callers are told why they were denied; default: yes. */
  readonly denialReasons?: MeshSettings['denialReasons'];
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface ControlPlane {
  readonly address: ListenAddress;
  /** Written for agents: the trust bundle, PEM. */
  readonly trustAnchorFile: string;
  /** Resolves when the last connection is closed. */
  close(): Promise<void>;
}

/** Streams of one agent: one per proxy, and the calls for their identities. */
const limits = { maxConcurrentStreams: 4096 };
/** Time for calls in flight when the control plane stops. */
const closeGraceMs = 2_000;

const typeNames = {
  [typeUrls.listener]: 'listener',
  [typeUrls.route]: 'route',
  [typeUrls.cluster]: 'cluster',
  [typeUrls.endpoint]: 'endpoint',
  [typeUrls.secret]: 'secret',
  [typeUrls.authorization]: 'authorization',
} as const;

/** What proxies see before there is a first good state: nothing. */
function emptyMesh(trustDomain: string, rootNamespace: string): MeshState {
  return {
    trustDomain,
    rootNamespace,
    workloads: new Map(),
    services: new Map(),
    policies: new Map(),
    quantumServices: new Map(),
  };
}

/**
 * Starts serving. The manifests may be broken at first: the control plane then runs, says so, and is not ready.
 * @throws IdentityError, ControlPlaneError
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { log, now, random, readiness, signal } = options;
  const authority = await openAuthority({ ...options, log: componentLogger(log, 'ca') });
  options.metrics.caExpiry.set({ certificate: 'root' }, authority.notAfter.getTime() / 1000);
  readiness.ready('ca');
  const source = await watchMesh(options);
  const empty = emptyMesh(options.trustDomain, options.rootNamespace);
  const snapshots = new MeshSnapshots(empty, {
    trustDomain: options.trustDomain,
    maxConnectionAgeMs: shortestUse(options.svidLifetimeMs),
    denialReasons: options.denialReasons ?? 'shown',
  });
  const mesh = new PublishedMesh({ snapshots, empty, readiness, log: componentLogger(log, 'xds') });
  const pushDelay = new PushDelay(() => performance.now());
  source.onChange((state) => pushDelay.during(() => mesh.publish(state)));
  const first = source.current();
  if (first !== undefined) mesh.publish(first);

  const initial = issueServerIdentity(authority);
  const server = createSecureServer({
    ...http2ServerOptions(grpcLimits(limits)),
    ...meshTlsOptions(authority.bundle.anchors, initial),
    requestCert: true,
    // An agent that joins has no certificate yet; every other call asks for one.
    rejectUnauthorized: false,
  });
  const peers = new PeerAuthenticator({ bundle: authority.bundle, now });
  const methods = controlPlaneMethods(options, authority, peers, mesh, pushDelay);
  guardStrangers(server, (session) => peers.isAgent(session));
  const grpc = serveGrpc(server, methods, limits, {
    onHandlerError: (error, path) => log.error({ err: error, path }, 'a call failed unexpectedly'),
  });
  const address = await listen(server, options.listen);
  renewServerIdentity(server, {
    authority,
    initial,
    now,
    random,
    signal,
    log: componentLogger(log, 'ca'),
  });
  return { address, trustAnchorFile: authority.trustAnchorFile, close: () => grpc.close(closeGraceMs) };
}

function controlPlaneMethods(
  options: ControlPlaneOptions,
  authority: Authority,
  peers: PeerAuthenticator,
  mesh: PublishedMesh,
  pushDelay: PushDelay,
): ReadonlyMap<string, Method> {
  const { now, metrics } = options;
  const identityLog = componentLogger(options.log, 'identity');
  const xdsLog = componentLogger(options.log, 'xds');
  const authorization = {
    state: () => mesh.current(),
    workloadOf: (agentId: string) => authority.workloadOf(agentId),
    bindToPod: (agentId: string, pod: PodBinding) => authority.bindToPod(agentId, pod),
    agentOf: (call: Call) => peers.agent(call.session),
  };
  const identity = identityService({
    ...authorization,
    renewingAgentOf: (call) => peers.renewingAgent(call.session),
    bundle: authority.bundle,
    requestedKey: (csr) => authority.requestedKey(csr),
    redeem: (token, publicKey) => authority.redeem(token, publicKey),
    issue: (spiffeId, csr) => authority.issue(spiffeId, csr),
    onIssued: (result, detail) => {
      metrics.svidIssuance.inc({ result });
      if (result === 'issued') identityLog.info({ spiffeId: detail }, 'issued an SVID');
      else identityLog.warn({ reason: detail }, 'refused an identity');
    },
    tokenJwks: authority.tokenJwks,
    mintToken: (type, spiffeId, audience) => authority.mintToken(type, spiffeId, audience),
    onMinted: (result, type, detail) => {
      metrics.tokensMinted.inc({ type, result });
      if (result === 'issued') identityLog.info({ spiffeId: detail, type }, 'minted a token');
      else identityLog.warn({ reason: detail, type }, 'refused a token');
    },
  });
  let streams = 0;
  const discovery = discoveryServices({
    ...authorization,
    now,
    source: (workload) => pushDelay.watch(mesh.source(workload)),
    hooks: (workload) => ({
      onNack: ({ typeUrl, names, message }) => {
        const type = typeNames[typeUrl];
        metrics.xdsRejections.inc({ type });
        xdsLog.error({ workload, type, names, reason: message }, 'a proxy refused its configuration');
      },
      onAck: ({ typeUrl, snapshot }) => {
        metrics.xdsAcknowledgements.inc({ type: typeNames[typeUrl] });
        const seconds = pushDelay.secondsSince(snapshot);
        if (seconds !== undefined) metrics.xdsPropagation.observe({}, seconds);
      },
    }),
    onStreams: (change) => {
      streams += change;
      metrics.xdsStreams.set({}, streams);
    },
  });
  return new Map([...identity, ...discovery]);
}
