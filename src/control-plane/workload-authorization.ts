// Which workload an agent may act for, be it for an SVID or for its configuration.

import { GrpcError, status } from '../grpc/status.ts';
import type { PodBinding } from '../identity/agent-registry.ts';
import type { MeshState, NamespacedName, Workload } from '../model/mesh.ts';

export interface WorkloadAuthorization {
  /** The desired state; undefined before the first good one. */
  readonly state: () => MeshState | undefined;
  /** The workload an agent was admitted for. */
  readonly workloadOf: (agentId: string) => Promise<NamespacedName | undefined>;
  /** Binds an agent to a pod unless it is bound already; the pod it is bound to then. */
  readonly bindToPod: (agentId: string, pod: PodBinding) => Promise<PodBinding>;
}

/**
 * The workload `name`, if this agent holds it, it runs, and it is still the pod that the agent was admitted for.
 * @throws GrpcError PERMISSION_DENIED (another's workload, another pod), FAILED_PRECONDITION (it is not in the manifests, or
 *   not meshed)
 */
export async function authorizedWorkload(
  options: WorkloadAuthorization,
  agentId: string,
  name: NamespacedName,
): Promise<Workload> {
  if ((await heldWorkload(options, agentId)) !== name) {
    throw new GrpcError(status.permissionDenied, `agent ${agentId} does not hold the workload ${name}`);
  }
  const workload = runningWorkload(options.state(), name);
  const bound = await options.bindToPod(agentId, workload);
  if (!isSamePod(bound, workload)) throw replacedPod(agentId, name);
  return workload;
}

/** @throws GrpcError PERMISSION_DENIED */
export async function heldWorkload(
  options: Pick<WorkloadAuthorization, 'workloadOf'>,
  agentId: string,
): Promise<NamespacedName> {
  const held = await options.workloadOf(agentId);
  if (held === undefined)
    throw new GrpcError(status.permissionDenied, `agent ${agentId} is not admitted any more`);
  return held;
}

/** @throws GrpcError FAILED_PRECONDITION */
function runningWorkload(state: MeshState | undefined, name: NamespacedName): Workload {
  const workload = state?.workloads.get(name);
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

/** A pod's service account is for life, as its uid is: where either differs it is another pod that took over the name. */
export function isSamePod(one: PodBinding, other: PodBinding): boolean {
  return one.uid === other.uid && one.serviceAccount === other.serviceAccount;
}

export function replacedPod(agentId: string, name: NamespacedName): GrpcError {
  return new GrpcError(
    status.permissionDenied,
    `agent ${agentId} was admitted for another pod of the name ${name}, which is gone: start an agent for the new one with a new token (trellis token create)`,
  );
}
