import { lstat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAgentRegistry } from '../../../src/identity/agent-registry.ts';
import { createJoinToken, redeemJoinToken } from '../../../src/identity/join-tokens.ts';
import { expectIdentityError, failingDisk, now, privateDirectory } from './support/storage.ts';

const publicKey = Buffer.from('the public key of an agent');

async function admit(dir: string, name: string): Promise<{ agentId: string; token: string }> {
  const { token } = await createJoinToken({ dir, workload: { namespace: 'trading', name }, now });
  const { agentId } = await redeemJoinToken({ dir, token, publicKey, now });
  return { agentId, token };
}

describe('the registry of agents', () => {
  test('knows which agent may hold which workload, and no other', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const [first, second] = [await admit(dir, 'gateway'), await admit(dir, 'execution')];
    expect(await registry.workloadOf(first.agentId)).toBe('trading/gateway');
    expect(await registry.workloadOf(second.agentId)).toBe('trading/execution');
    expect(await registry.workloadOf('0'.repeat(32))).toBeUndefined();
    expect(await registry.list()).toEqual([first.agentId, second.agentId].sort());
  });

  test('a token that was not redeemed admits nobody', async () => {
    const dir = await privateDirectory();
    const { agentId } = await createJoinToken({ dir, workload: { namespace: 'a', name: 'b' }, now });
    expect(await (await openAgentRegistry(dir)).workloadOf(agentId)).toBeUndefined();
  });

  test('forgets an agent for good: its token does not bring it back', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const { agentId, token } = await admit(dir, 'gateway');
    expect(await registry.forget(agentId)).toBe(true);
    expect(await registry.workloadOf(agentId)).toBeUndefined();
    expect(await registry.forget(agentId)).toBe(false);
    await expectIdentityError('ERR_JOIN_TOKEN_UNKNOWN', redeemJoinToken({ dir, token, publicKey, now }));
  });

  test('an id that is a path reads and removes nothing outside', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const record = '{"version":1,"workload":"a/b","expiresAt":"2026-03-02T00:00:00.000Z"}';
    await writeFile(join(dir, 'outside.json'), record, { mode: 0o600 });
    for (const id of ['../outside', '', '.', `${'a'.repeat(31)}/`, 'A'.repeat(32), `${'a'.repeat(32)}\0`]) {
      expect(await registry.workloadOf(id)).toBeUndefined();
      expect(await registry.forget(id)).toBe(false);
    }
  });

  test('a damaged record is said aloud, not taken for an unknown agent', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const { agentId } = await admit(dir, 'gateway');
    await writeFile(join(dir, 'agents', `${agentId}.json`), '{');
    await expectIdentityError('ERR_RECORD_CORRUPT', registry.workloadOf(agentId));
  });

  test('binds an agent to the first pod it is shown, for good', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const [{ agentId }, other] = [await admit(dir, 'gateway'), await admit(dir, 'gateway')];
    const [first, second] = [
      { uid: 'u-1', serviceAccount: 'gateway' },
      { uid: 'u-2', serviceAccount: 'admin' },
    ];
    expect(await registry.bindToPod(agentId, first)).toEqual(first);
    expect(await registry.bindToPod(agentId, second)).toEqual(first);
    expect(await (await openAgentRegistry(dir)).bindToPod(agentId, second)).toEqual(first);
    expect(await registry.bindToPod(other.agentId, second)).toEqual(second);
    expect(await registry.list()).toEqual([agentId, other.agentId].sort());
    expect((await lstat(join(dir, 'agents', `${agentId}.pod.json`))).mode & 0o777).toBe(0o600);
  });

  test('binds to one pod when several are shown at once', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const { agentId } = await admit(dir, 'gateway');
    const pods = Array.from({ length: 10 }, (_, i) => ({ uid: `u-${i}`, serviceAccount: 'gateway' }));
    const bound = await Promise.all(pods.map((pod) => registry.bindToPod(agentId, pod)));
    expect(new Set(bound.map(({ uid }) => uid)).size).toBe(1);
    expect((await readdir(join(dir, 'agents'))).sort()).toEqual([`${agentId}.json`, `${agentId}.pod.json`]);
  });

  test('a binding that is damaged binds to nothing else', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const { agentId } = await admit(dir, 'gateway');
    await writeFile(join(dir, 'agents', `${agentId}.pod.json`), '{"version":1}', { mode: 0o600 });
    const pod = { uid: 'u-1', serviceAccount: 'gateway' };
    await expectIdentityError('ERR_RECORD_CORRUPT', registry.bindToPod(agentId, pod));
    await expect(registry.bindToPod('../outside', pod)).rejects.toThrow(RangeError);
  });

  test('a binding that cannot be written is an error, and the next one may be', async () => {
    const dir = await privateDirectory();
    const { agentId } = await admit(dir, 'gateway');
    for (let failing = 0; ; failing++) {
      const { storage } = failingDisk(failing);
      const registry = await openAgentRegistry(dir, storage).catch(() => undefined);
      if (registry === undefined) continue;
      const pod = { uid: `u-${failing}`, serviceAccount: 'gateway' };
      const bound = await registry.bindToPod(agentId, pod).catch((error: unknown) => error);
      if (!(bound instanceof Error)) {
        expect(bound).toEqual(pod);
        expect(failing).toBeGreaterThan(2);
        break;
      }
      expect(bound).toMatchObject({ code: 'ERR_STORAGE_FULL' });
    }
  });

  test('forgets the pod with its agent', async () => {
    const dir = await privateDirectory();
    const registry = await openAgentRegistry(dir);
    const { agentId } = await admit(dir, 'gateway');
    await registry.bindToPod(agentId, { uid: 'u-1', serviceAccount: 'gateway' });
    await registry.forget(agentId);
    expect(await readdir(join(dir, 'agents'))).toEqual([]);
  });
});
