import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAgentRegistry } from '../../../src/identity/agent-registry.ts';
import { createJoinToken, redeemJoinToken } from '../../../src/identity/join-tokens.ts';
import { expectIdentityError, now, privateDirectory } from './support/storage.ts';

async function admit(dir: string, name: string): Promise<{ agentId: string; token: string }> {
  const { token } = await createJoinToken({ dir, workload: { namespace: 'trading', name }, now });
  const { agentId } = await redeemJoinToken({ dir, token, now });
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
    await expectIdentityError('ERR_JOIN_TOKEN_UNKNOWN', redeemJoinToken({ dir, token, now }));
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
});
