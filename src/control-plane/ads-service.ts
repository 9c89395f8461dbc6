// The aggregated discovery service: each stream is one workload's proxy, relayed by the agent that holds the workload.

import type { Call, Method, StreamCall } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { NamespacedName } from '../model/mesh.ts';
import { adsPath, workloadHeader } from '../xds/agreed-names.ts';
import type { DeltaHooks } from '../xds/proxy-status.ts';
import type { SnapshotSource } from '../xds/resources.ts';
import { serveDelta } from '../xds/server.ts';
import { authorizedWorkload, type WorkloadAuthorization } from './identity-service.ts';
import type { AgentPeer } from './peer.ts';

export interface AdsOptions extends WorkloadAuthorization {
  /** @throws GrpcError UNAUTHENTICATED */
  readonly agentOf: (call: Call) => AgentPeer;
  readonly source: (workload: NamespacedName) => SnapshotSource;
  readonly hooks: (workload: NamespacedName) => DeltaHooks;
  /** Called with +1 and -1 as streams come and go. */
  readonly onStreams: (change: 1 | -1) => void;
}

export function adsService(options: AdsOptions): [string, Method] {
  const handle = async (call: StreamCall): Promise<void> => {
    const { agentId } = options.agentOf(call);
    const name = workloadName(call);
    await authorizedWorkload(options, agentId, name);
    options.onStreams(1);
    try {
      await serveDelta(call, options.source(name), options.hooks(name));
    } finally {
      options.onStreams(-1);
    }
  };
  return [adsPath, { kind: 'stream', endless: true, handle }];
}

function workloadName(call: Call): NamespacedName {
  const value = call.headers[workloadHeader];
  if (typeof value === 'string' && /^[^/]+\/[^/]+$/.test(value)) return value as NamespacedName;
  throw new GrpcError(
    status.invalidArgument,
    `an ADS stream needs one ${workloadHeader} header, <namespace>/<pod>`,
  );
}
