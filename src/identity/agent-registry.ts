// Which agents were admitted, and for which workload. Read from disk at every question: what other processes change
// there takes effect at once, and a restarted control plane knows what the killed one knew.

import type { NamespacedName } from '../model/mesh.ts';
import {
  createPrivateFileAtomically,
  nodeStorage,
  orMissing,
  type Storage,
  syncDirectory,
} from './private-files.ts';
import {
  encodePodBinding,
  listRecords,
  openRecordDirectories,
  type PodBinding,
  podPath,
  readPodBinding,
  readRecord,
  recordPath,
} from './records.ts';

export type { PodBinding } from './records.ts';

export interface AgentRegistry {
  /** The workload an agent was admitted for; undefined when it is unknown or forgotten. @throws IdentityError ERR_RECORD_CORRUPT */
  workloadOf(agentId: string): Promise<NamespacedName | undefined>;
  /**
   * Binds an agent to a pod unless it is bound already: whoever takes over the pod's name is not who it was admitted for.
   * @returns the pod it is bound to, be it this or an earlier one
   * @throws IdentityError ERR_RECORD_CORRUPT, ERR_STORAGE_FULL
   */
  bindToPod(agentId: string, pod: PodBinding): Promise<PodBinding>;
  /** The ids of all admitted agents. */
  list(): Promise<string[]>;
  /**
   * Withdraws an agent's admission: it gets no further SVID. What it holds lives on until it expires.
   * @returns whether there was such an agent
   */
  forget(agentId: string): Promise<boolean>;
}

/** An id as redeeming gives it out; anything else must not become part of a path. */
const agentIdForm = /^[0-9a-f]{32}$/;

/**
 * @param dir the state directory of the control plane
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_STORAGE_FULL
 */
export async function openAgentRegistry(dir: string, storage: Storage = nodeStorage): Promise<AgentRegistry> {
  const { agents, tokens } = await openRecordDirectories(storage, dir);
  return {
    async workloadOf(agentId) {
      if (!agentIdForm.test(agentId)) return undefined;
      return (await readRecord(storage, recordPath(agents, agentId)))?.workload;
    },

    async bindToPod(agentId, pod) {
      if (!agentIdForm.test(agentId)) throw new RangeError('not an agent id');
      const path = podPath(agents, agentId);
      const bound = await readPodBinding(storage, path);
      if (bound !== undefined) return bound;
      if (await createPrivateFileAtomically(storage, path, encodePodBinding(pod))) return pod;
      return (await readPodBinding(storage, path)) ?? pod;
    },

    list: () => listRecords(storage, agents),

    async forget(agentId) {
      if (!agentIdForm.test(agentId)) return false;
      // Its token may still lie there, if the control plane was killed while it was redeemed.
      const path = recordPath(agents, agentId);
      const record = await readRecord(storage, path).catch(() => undefined);
      if (record?.admitted !== undefined) {
        await storage.fs.rm(recordPath(tokens, record.admitted.tokenDigest), { force: true });
        await syncDirectory(storage, tokens);
      }
      const removed = await orMissing(storage.fs.rm(path).then(() => true));
      await storage.fs.rm(podPath(agents, agentId), { force: true });
      if (removed === undefined) return false;
      await syncDirectory(storage, agents);
      return true;
    },
  };
}
