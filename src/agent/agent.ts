// The agent of one workload: it joins the mesh with a token, keeps the workload's identity fresh, and gives its Envoy
// everything on one Unix socket.

import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckCause, CheckResult } from '../authz/causes.ts';
import { meshTls } from '../crypto/algorithms.ts';
import { generateSigningKey } from '../crypto/keys.ts';
import type { Certificate } from '../crypto/x509/certificate.ts';
import type { Method } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { TlsCredentials } from '../identity/mesh-tls.ts';
import type { Logger } from '../telemetry/logger.ts';
import { workloadHeader } from '../xds/agreed-names.ts';
import { Authorization } from './authorization.ts';
import { followAuthorization } from './authorization-client.ts';
import { backoffMs } from './backoff.ts';
import { type ControlPlaneAddress, connectControlPlane, hostAndPort } from './connect.ts';
import { AgentError } from './errors.ts';
import { type HeldSvid, type Joined, join, mintWorkloadSvid, renewAgent } from './identity-client.ts';
import { keepFresh } from './keep-fresh.ts';
import { relayMethod } from './relay.ts';
import { SecretStore, sdsMethod } from './sds.ts';
import { serveSocket } from './socket.ts';
import { tokenMethod } from './tokens.ts';
import { Upstream } from './upstream.ts';

export interface AgentOptions {
  readonly controlPlane: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly anchors: readonly Certificate[];
  readonly joinToken: string;
  readonly socket: string;
  /** A second socket, for programs of the workload: tokens and nothing else, no private key. */
  readonly tokenSocket?: string;
  readonly log: Logger;
  readonly report: AgentReport;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  /** Ends the agent. */
  readonly signal: AbortSignal;
}

/** What the agent tells about itself, for readiness and metrics. */
export interface AgentReport {
  readonly connected: () => void;
  readonly disconnected: (reason: string) => void;
  readonly svid: (svid: HeldSvid) => void;
  /** How its workload authorizes requests is known, or not any more. */
  readonly authorization: (known: boolean) => void;
  /** One request or connection that Envoy asked about. */
  readonly decision: (result: CheckResult, cause: CheckCause) => void;
  readonly renewalFailed: () => void;
}

/**
 * Runs until `signal` aborts. The socket is there from the start: a proxy that comes early waits for its secrets.
 * @throws AgentError when the control plane refuses the join token, is not who it should be, or the socket cannot be served
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const agent = new Agent(options);
  await agent.run();
}

class Agent {
  readonly #options: AgentOptions;
  readonly #secrets = new SecretStore();
  #anchors: readonly Certificate[];
  readonly #authorization: Authorization;
  #credentials: TlsCredentials | undefined;

  constructor(options: AgentOptions) {
    const { anchors, trustDomain, now, report, log } = options;
    this.#options = options;
    this.#anchors = anchors;
    this.#authorization = new Authorization({
      trustDomain,
      now,
      onDecision: report.decision,
      onError: (error) => log.error({ err: error }, 'a request was denied because deciding it failed'),
    });
  }

  async run(): Promise<void> {
    const { log, report, random, signal } = this.#options;
    let workload: Joined['workload'] | undefined;
    const upstream = new Upstream({
      connect: () => this.#connect(),
      random,
      signal,
      hooks: {
        onUp: () => {
          log.info('connected to the control plane');
          report.connected();
        },
        onDown: (reason) => {
          log.warn({ reason }, 'no connection to the control plane; trying again');
          report.disconnected(reason);
        },
      },
    });
    const headers = () => ({ [workloadHeader]: `${workload?.namespace}/${workload?.name}` });
    const relay = relayMethod({
      upstream: () => (workload === undefined ? undefined : upstream.current()),
      headers,
    });
    const tokens = tokenMethod({
      upstream: () => upstream.current(),
      workload: () => workload,
      now: this.#options.now,
    });
    const sds = sdsMethod(this.#secrets, {
      onNack: ({ names, message }) => log.error({ names, reason: message }, 'Envoy refused a secret'),
    });
    const methods = new Map<string, Method>([relay, sds, tokens, this.#authorization.method]);
    const onError = (error: unknown, path: string) =>
      log.error({ err: error, path }, 'a call on the socket failed unexpectedly');
    const sockets = [await serveSocket(this.#options.socket, methods, onError)];
    try {
      const { tokenSocket } = this.#options;
      if (tokenSocket !== undefined) sockets.push(await serveSocket(tokenSocket, new Map([tokens]), onError));
      const joined = await this.#join();
      if (joined === undefined) return;
      workload = joined.workload;
      log.info(
        { workload: `${workload.namespace}/${workload.name}`, agent: joined.svid.spiffeId },
        'joined the mesh',
      );
      this.#adopt(joined.svid);
      upstream.start();
      await Promise.all([
        this.#keepAgent(joined.svid, upstream),
        this.#keepWorkload(joined.workload, upstream),
        this.#followAuthorization(upstream, headers),
      ]);
    } finally {
      await Promise.all(sockets.map((socket) => socket.close()));
    }
  }

  #connect(): Promise<ClientHttp2Session> {
    const { controlPlane, trustDomain, now } = this.#options;
    return connectControlPlane({
      address: controlPlane,
      trustDomain,
      anchors: this.#anchors,
      credentials: this.#credentials,
      now,
    });
  }

  /** Tries until the control plane answers; undefined when the agent is stopped first. */
  async #join(): Promise<Joined | undefined> {
    const { joinToken, trustDomain, signal, random, log, report, controlPlane } = this.#options;
    // One key for all attempts: if an answer is lost, the token is good for no other.
    const key = generateSigningKey(meshTls.signature);
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const session = await this.#connect();
        try {
          return await join(session, joinToken, trustDomain, key);
        } finally {
          session.close();
        }
      } catch (error) {
        if (!mayPass(error)) throw refused(error, hostAndPort(controlPlane));
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ reason }, 'could not join the mesh yet; trying again');
        report.disconnected(reason);
      }
      await sleep(backoffMs(attempt, random), undefined, { signal }).catch(() => {});
    }
    return undefined;
  }

  #adopt(svid: HeldSvid): void {
    this.#credentials = svid;
    this.#anchors = svid.anchors;
    this.#authorization.trust(svid);
  }

  #followAuthorization(upstream: Upstream, headers: () => Readonly<Record<string, string>>): Promise<void> {
    const { log, report, random, signal } = this.#options;
    return followAuthorization({
      ready: () => upstream.ready(),
      headers,
      adopt: (resource) => {
        try {
          this.#authorization.adopt(resource);
          log.info('new authorization rules for the workload');
        } catch (error) {
          log.error(
            { err: error },
            'cannot decide by the new authorization rules; all that needs them is denied',
          );
          throw error;
        } finally {
          report.authorization(this.#authorization.isKnown);
        }
      },
      onFailure: (error) =>
        log.warn({ err: error }, 'lost the stream of authorization rules; opening it again'),
      random,
      signal,
    });
  }

  #keepAgent(initial: HeldSvid, upstream: Upstream): Promise<void> {
    const { trustDomain, log, report, ...common } = this.#options;
    return keepFresh({
      ...common,
      initial,
      obtain: async () => renewAgent(await upstream.ready(), trustDomain),
      accept: async (svid) => {
        this.#adopt(svid);
        await upstream.replace();
        log.info({ notAfter: svid.leaf.notAfter.toISOString() }, "renewed the agent's own SVID");
      },
      onFailure: (error) => {
        log.warn({ err: error }, "could not renew the agent's own SVID; trying again");
        report.renewalFailed();
      },
    });
  }

  #keepWorkload(workload: Joined['workload'], upstream: Upstream): Promise<void> {
    const { trustDomain, log, report, ...common } = this.#options;
    return keepFresh({
      ...common,
      initial: undefined,
      obtain: async () => mintWorkloadSvid(await upstream.ready(), workload, trustDomain),
      accept: async (svid) => {
        this.#secrets.update(trustDomain, svid);
        this.#authorization.trust(svid);
        report.svid(svid);
        log.info(
          { spiffeId: svid.spiffeId, notAfter: svid.leaf.notAfter.toISOString() },
          'a new SVID for the workload',
        );
      },
      onFailure: (error) => {
        log.warn({ err: error }, 'could not obtain an SVID for the workload; trying again');
        report.renewalFailed();
      },
    });
  }
}

/** A control plane that is away, starting or overloaded may answer later; one that says no will say it again. */
function mayPass(error: unknown): boolean {
  if (error instanceof AgentError) return error.code === 'ERR_AGENT_CONTROL_PLANE';
  if (!(error instanceof GrpcError)) return false;
  return (
    error.code === status.unavailable ||
    error.code === status.deadlineExceeded ||
    error.code === status.resourceExhausted
  );
}

function refused(error: unknown, address: string): unknown {
  if (!(error instanceof GrpcError)) return error;
  return new AgentError(
    'ERR_AGENT_JOIN_REFUSED',
    `the control plane at ${address} refused the join token: ${error.message}. Create a new one with: trellis token create`,
    { cause: error },
  );
}
