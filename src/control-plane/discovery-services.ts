// The discovery services: each stream is for one workload, of its proxy and relayed by the agent that holds the workload, or
// of that agent itself.

import type { Call, Method, StreamCall } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { NamespacedName } from '../model/mesh.ts';
import { adsPath, authorizationDiscoveryPath, workloadHeader } from '../xds/agreed-names.ts';
import type { DeltaHooks } from '../xds/proxy-status.ts';
import { type SnapshotSource, type TypeUrl, typeUrls } from '../xds/resources.ts';
import { serveDelta } from '../xds/server.ts';
import type { AgentPeer } from './peer.ts';
import { StreamLease } from './stream-lease.ts';
import type { WorkloadAuthorization } from './workload-authorization.ts';

export interface DiscoveryOptions extends WorkloadAuthorization {
  /** @throws GrpcError UNAUTHENTICATED */
  readonly agentOf: (call: Call) => AgentPeer;
  readonly source: (workload: NamespacedName) => SnapshotSource;
  readonly hooks: (workload: NamespacedName) => DeltaHooks;
  /** Called with +1 and -1 as streams of proxies come and go. */
  readonly onStreams: (change: 1 | -1) => void;
  readonly now: () => Date;
  /** How often it is asked whether a stream may go on. */
  readonly recheckMs?: number;
}

/** One proxy has one; the others are of one that reconnects before the end of the old ones was noticed. */
export const maxStreamsPerWorkload = 4;

/** Secrets come from the agent, which alone has the keys. */
const proxyTypes: ReadonlySet<TypeUrl> = new Set([
  typeUrls.listener,
  typeUrls.route,
  typeUrls.cluster,
  typeUrls.endpoint,
]);
const agentTypes: ReadonlySet<TypeUrl> = new Set([typeUrls.authorization]);

/** ADS for proxies, and how workloads authorize for their agents. */
export function discoveryServices(options: DiscoveryOptions): [string, Method][] {
  return [
    [adsPath, discovery(options, proxyTypes)],
    [authorizationDiscoveryPath, discovery({ ...options, onStreams: () => {} }, agentTypes)],
  ];
}

function discovery(options: DiscoveryOptions, served: ReadonlySet<TypeUrl>): Method {
  const open = new StreamCount();
  const handle = async (call: StreamCall): Promise<void> => {
    const { agentId } = options.agentOf(call);
    const name = workloadName(call);
    const leave = open.enter(`${agentId} ${name}`);
    try {
      const lease = await StreamLease.take({
        ...options,
        agentId,
        name,
        peerOf: () => options.agentOf(call),
      });
      options.onStreams(1);
      try {
        const serving = serveDelta(call, lease.guard(options.source(name)), options.hooks(name), { served });
        // Whichever ends first; what the other one throws then was caused by it.
        serving.catch(() => {});
        await Promise.race([serving, lease.ended]);
      } finally {
        lease.release();
        options.onStreams(-1);
      }
    } finally {
      leave();
    }
  };
  return { kind: 'stream', endless: true, handle };
}

/** Open streams by whom they are for. */
class StreamCount {
  readonly #open = new Map<string, number>();

  /** Returns the way out. @throws GrpcError RESOURCE_EXHAUSTED */
  enter(whom: string): () => void {
    const count = this.#open.get(whom) ?? 0;
    if (count >= maxStreamsPerWorkload) {
      throw new GrpcError(
        status.resourceExhausted,
        `there are ${maxStreamsPerWorkload} streams for this workload already`,
      );
    }
    this.#open.set(whom, count + 1);
    return () => {
      const left = (this.#open.get(whom) ?? 1) - 1;
      if (left === 0) this.#open.delete(whom);
      else this.#open.set(whom, left);
    };
  }
}

function workloadName(call: Call): NamespacedName {
  const value = call.headers[workloadHeader];
  if (typeof value === 'string' && /^[^/]+\/[^/]+$/.test(value)) return value as NamespacedName;
  throw new GrpcError(
    status.invalidArgument,
    `a discovery stream needs one ${workloadHeader} header, <namespace>/<pod>`,
  );
}
