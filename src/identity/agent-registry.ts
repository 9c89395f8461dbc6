// Which agents were admitted, and for which workload. Read from disk at every question: what other processes change
// there takes effect at once, and a restarted control plane knows what the killed one knew.

import type { NamespacedName } from '../model/mesh.ts';
import { nodeStorage, orMissing, type Storage, syncDirectory } from './private-files.ts';
import { listRecords, openRecordDirectories, readRecord, recordPath } from './records.ts';

export interface AgentRegistry {
  /** The workload an agent was admitted for; undefined when it is unknown or forgotten. @throws IdentityError ERR_RECORD_CORRUPT */
  workloadOf(agentId: string): Promise<NamespacedName | undefined>;
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
  const { agents } = await openRecordDirectories(storage, dir);
  return {
    async workloadOf(agentId) {
      if (!agentIdForm.test(agentId)) return undefined;
      return (await readRecord(storage, recordPath(agents, agentId)))?.workload;
    },

    list: () => listRecords(storage, agents),

    async forget(agentId) {
      if (!agentIdForm.test(agentId)) return false;
      const removed = await orMissing(storage.fs.rm(recordPath(agents, agentId)).then(() => true));
      if (removed === undefined) return false;
      await syncDirectory(storage, agents);
      return true;
    },
  };
}
