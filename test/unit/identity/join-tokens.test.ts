import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openAgentRegistry } from '../../../src/identity/agent-registry.ts';
import { createJoinToken, maxPendingJoinTokens, redeemJoinToken } from '../../../src/identity/join-tokens.ts';
import { defaultJoinTokenTtlMs, maxJoinTokenTtlMs } from '../../../src/identity/lifetimes.ts';
import { nodeStorage } from '../../../src/identity/private-files.ts';
import { at, expectIdentityError, failingDisk, now, privateDirectory } from './support/storage.ts';

const workload = { namespace: 'trading', name: 'gateway-7d9f' };
const create = (dir: string, change: Partial<Parameters<typeof createJoinToken>[0]> = {}) =>
  createJoinToken({ dir, workload, now, ...change });
const redeem = (dir: string, token: string, change: Partial<Parameters<typeof redeemJoinToken>[0]> = {}) =>
  redeemJoinToken({ dir, token, publicKey: anotherKey(), now, ...change });

let keys = 0;
const anotherKey = () => Buffer.from(`public key ${keys++}`);

describe('a join token', () => {
  test('admits one agent, for its workload, once', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    expect(await redeem(dir, token)).toEqual({ agentId, workload: 'trading/gateway-7d9f' });
    await expectIdentityError('ERR_JOIN_TOKEN_USED', redeem(dir, token));
    expect(await (await openAgentRegistry(dir)).workloadOf(agentId)).toBe('trading/gateway-7d9f');
  });

  test('is 256 bits of chance behind a recognisable prefix', async () => {
    const dir = await privateDirectory();
    const tokens = await Promise.all([create(dir), create(dir)]);
    for (const { token } of tokens) expect(token).toMatch(/^trellis-join-[\w-]{43}$/);
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(2);
    const fixed = { ...nodeStorage, randomBytes: (length: number) => Buffer.alloc(length, 0xab) };
    const { token } = await create(dir, { storage: fixed });
    expect(Buffer.from(token.slice('trellis-join-'.length), 'base64url')).toEqual(Buffer.alloc(32, 0xab));
  });

  test('is stored nowhere: only its SHA-256, for the owner alone', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const [name = ''] = await readdir(join(dir, 'join-tokens'));
    expect(name).toBe(`${createHash('sha256').update(token).digest('hex')}.json`);
    const path = join(dir, 'join-tokens', name);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toContain(token.slice('trellis-join-'.length));
    expect(token).not.toContain(agentId);
    await redeem(dir, token);
    const record = join(dir, 'agents', `${agentId}.json`);
    expect((await lstat(record)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dir, 'join-tokens'))).toEqual([]);
  });

  test('lives an hour unless asked otherwise, and not a moment longer', async () => {
    const dir = await privateDirectory();
    expect((await create(dir)).expiresAt).toEqual(at(defaultJoinTokenTtlMs));
    const [first, second] = [await create(dir, { ttlMs: 1000 }), await create(dir, { ttlMs: 1000 })];
    expect(await redeem(dir, first.token, { now: at(999) })).toMatchObject({ agentId: first.agentId });
    await expectIdentityError('ERR_JOIN_TOKEN_EXPIRED', redeem(dir, second.token, { now: at(1000) }));
    // It is gone: even a clock set back does not revive it.
    await expectIdentityError('ERR_JOIN_TOKEN_UNKNOWN', redeem(dir, second.token, { now }));
  });

  test('of another directory, or of none, is unknown', async () => {
    const [dir, elsewhere] = [await privateDirectory(), await privateDirectory()];
    const { token } = await create(elsewhere);
    await expectIdentityError('ERR_JOIN_TOKEN_UNKNOWN', redeem(dir, token));
  });

  test.each([
    '',
    'trellis-join-',
    'x',
    `trellis-join-${'a'.repeat(42)}`,
    `trellis-join-${'a'.repeat(44)}`,
    `trellis-join-${'/'.repeat(43)}`,
  ])('%j is not one', async (token) => {
    const error = await expectIdentityError(
      'ERR_JOIN_TOKEN_MALFORMED',
      redeem(await privateDirectory(), token),
    );
    if (token.length > 13) expect(error.message).not.toContain(token);
  });
});

describe('exactly one of several redeemers wins', () => {
  test('in one process', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => redeem(dir, token)));
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(won).toHaveLength(1);
    expect(new Set(lost)).toEqual(new Set(['ERR_JOIN_TOKEN_USED']));
    expect(await readdir(join(dir, 'agents'))).toEqual([`${agentId}.json`]);
  });

  test('when both have read the record before either acts', async () => {
    const dir = await privateDirectory();
    const { token } = await create(dir);
    const bothRead = Promise.withResolvers<void>();
    let arrived = 0;
    const storage = {
      ...nodeStorage,
      fs: {
        ...nodeStorage.fs,
        link: async (...args: Parameters<typeof nodeStorage.fs.link>) => {
          arrived++;
          if (arrived === 2) bothRead.resolve();
          await bothRead.promise;
          await nodeStorage.fs.link(...args);
        },
      },
    };
    const outcomes = await Promise.allSettled([
      redeem(dir, token, { storage }),
      redeem(dir, token, { storage }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('in several processes', async () => {
    const dir = await privateDirectory();
    const { token } = await create(dir);
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => {
        const program = `${redeemProgram(dir, token)}.then(() => console.log('won'), (error) => console.log(error.code));`;
        return promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
      }),
    );
    const outcomes = runs.map(({ stdout }) => stdout.trim()).sort();
    expect(outcomes).toEqual([...Array(3).fill('ERR_JOIN_TOKEN_USED'), 'won']);
  });
});

describe('an agent whose answer was lost', () => {
  test('redeems its token again with the same key, until the token expires', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir, { ttlMs: 1000 });
    const publicKey = anotherKey();
    const first = await redeem(dir, token, { publicKey });
    expect(first).toEqual({ agentId, workload: 'trading/gateway-7d9f' });
    expect(await redeem(dir, token, { publicKey, now: at(999) })).toEqual(first);
    await expectIdentityError('ERR_JOIN_TOKEN_USED', redeem(dir, token, { publicKey: anotherKey() }));
    await expectIdentityError('ERR_JOIN_TOKEN_USED', redeem(dir, token, { publicKey, now: at(1000) }));
  });

  test('several times at once, also the first time', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const publicKey = anotherKey();
    const all = await Promise.all(Array.from({ length: 10 }, () => redeem(dir, token, { publicKey })));
    expect(new Set(all.map((each) => each.agentId))).toEqual(new Set([agentId]));
  });

  test('does not come back once it is forgotten, not even if its token was left lying there', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const [name = ''] = await readdir(join(dir, 'join-tokens'));
    const left = await readFile(join(dir, 'join-tokens', name));
    const publicKey = anotherKey();
    await redeem(dir, token, { publicKey });
    await writeFile(join(dir, 'join-tokens', name), left, { mode: 0o600 });
    expect(await (await openAgentRegistry(dir)).forget(agentId)).toBe(true);
    await expectIdentityError('ERR_JOIN_TOKEN_UNKNOWN', redeem(dir, token, { publicKey }));
  });
});

describe('a control plane that dies', () => {
  test('by SIGKILL right after it answered has the agent on disk', async () => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const program = `await ${redeemProgram(dir, token)}; process.kill(process.pid, 'SIGKILL');`;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    await expect(run).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(await (await openAgentRegistry(dir)).workloadOf(agentId)).toBe('trading/gateway-7d9f');
    await expectIdentityError('ERR_JOIN_TOKEN_USED', redeem(dir, token));
  });

  test('at any moment of a redemption leaves the token unused or used, never in between', async () => {
    for (let failing = 0; ; failing++) {
      const dir = await privateDirectory();
      const { token, agentId } = await create(dir);
      const disk = failingDisk(failing, true);
      const publicKey = anotherKey();
      const outcome = await redeem(dir, token, { storage: disk.storage, publicKey }).catch(() => undefined);
      const admitted = await (await openAgentRegistry(dir)).workloadOf(agentId);
      const unharmed = disk.operations() <= failing;
      if (outcome !== undefined) expect(admitted).toBe('trading/gateway-7d9f');
      else expect(await redeem(dir, token, { publicKey })).toMatchObject({ agentId });
      await expectIdentityError('ERR_JOIN_TOKEN_USED', redeem(dir, token));
      if (unharmed) {
        expect(failing).toBeGreaterThan(4);
        break;
      }
    }
  });

  test('while it creates a token, or finds the disk full, leaves no half-written record', async () => {
    for (let failing = 0; ; failing++) {
      const dir = await privateDirectory();
      const created = await create(dir, { storage: failingDisk(failing).storage }).catch(
        (error: unknown) => error,
      );
      const left = await readdir(join(dir, 'join-tokens')).catch(() => []);
      if (!(created instanceof Error)) {
        expect(left).toHaveLength(1);
        expect(failing).toBeGreaterThan(4);
        break;
      }
      expect(created).toMatchObject({ code: 'ERR_STORAGE_FULL' });
      expect(left).toEqual([]);
    }
  });
});

describe('limits', () => {
  test('expired tokens are swept when a token is created', async () => {
    const dir = await privateDirectory();
    for (let i = 0; i < 3; i++) await create(dir, { ttlMs: 1000 });
    await create(dir, { ttlMs: 2000 });
    await create(dir, { now: at(1500) });
    expect(await readdir(join(dir, 'join-tokens'))).toHaveLength(2);
  });

  test(`no more than ${maxPendingJoinTokens} unused ones at a time; expired ones do not count, damaged ones do`, async () => {
    const dir = await privateDirectory();
    await create(dir);
    const directory = join(dir, 'join-tokens');
    const [name = ''] = await readdir(directory);
    const record = await readFile(join(directory, name));
    for (let i = 1; i < maxPendingJoinTokens; i++) {
      const content = i === 7 ? 'damaged' : record;
      await writeFile(join(directory, `${i.toString(16).padStart(64, '0')}.json`), content, { mode: 0o600 });
    }
    const error = await expectIdentityError('ERR_JOIN_TOKEN_LIMIT', create(dir));
    expect(error.message).toContain(directory);
    await create(dir, { now: at(defaultJoinTokenTtlMs) });
    expect(await readdir(directory)).toHaveLength(2);
  });

  test('a lifetime must be positive and at most a week', async () => {
    const dir = await privateDirectory();
    for (const ttlMs of [0, -1, Number.NaN, maxJoinTokenTtlMs + 1]) {
      await expectIdentityError('ERR_LIFETIME', create(dir, { ttlMs }));
    }
    expect((await create(dir, { ttlMs: maxJoinTokenTtlMs })).expiresAt).toEqual(at(maxJoinTokenTtlMs));
  });

  test.each([
    { namespace: '', name: 'a' },
    { namespace: 'a', name: '' },
    { namespace: 'a/b', name: 'c' },
    { namespace: 'a', name: '../b' },
    { namespace: 'A', name: 'b' },
    { namespace: 'a.b', name: 'c' },
    { namespace: 'a', name: 'b\n' },
    { namespace: 'a', name: 'b..c' },
    { namespace: 'a', name: '-b' },
    { namespace: 'a'.repeat(64), name: 'b' },
    { namespace: 'a', name: Array(5).fill('b'.repeat(60)).join('.') },
  ])('$namespace / $name is not the name of a pod', async (bad) => {
    await expectIdentityError('ERR_WORKLOAD_NAME', create(await privateDirectory(), { workload: bad }));
  });

  test('pods may have dots in their names', async () => {
    const dir = await privateDirectory();
    const { token } = await create(dir, { workload: { namespace: 'a', name: 'b.c-d' } });
    expect(await redeem(dir, token)).toMatchObject({ workload: 'a/b.c-d' });
  });
});

describe('records', () => {
  test.each([
    ['torn', '{"version":1,"worklo'],
    ['empty', ''],
    ['of another version', '{"version":2,"workload":"a/b","expiresAt":"2026-03-02T00:00:00.000Z"}'],
    ['without a workload', '{"version":1,"expiresAt":"2026-03-02T00:00:00.000Z"}'],
    [
      'for something that is no pod',
      '{"version":1,"workload":"a/b/c","expiresAt":"2026-03-02T00:00:00.000Z"}',
    ],
    ['without an expiry', '{"version":1,"workload":"a/b"}'],
    ['with an expiry that is none', '{"version":1,"workload":"a/b","expiresAt":"tomorrow"}'],
    ['that is not an object', 'null'],
    [
      'with the digest of something that is none',
      '{"version":1,"workload":"a/b","expiresAt":"2026-03-02T00:00:00.000Z","keyDigest":"aa","tokenDigest":"../x"}',
    ],
    ['that is huge', `${' '.repeat(5000)}{}`],
  ])('a record %s admits nobody', async (_what, content) => {
    const dir = await privateDirectory();
    const { token, agentId } = await create(dir);
    const [name = ''] = await readdir(join(dir, 'join-tokens'));
    await writeFile(join(dir, 'join-tokens', name), content);
    await expectIdentityError('ERR_RECORD_CORRUPT', redeem(dir, token));
    expect(await (await openAgentRegistry(dir)).workloadOf(agentId)).toBeUndefined();
  });

  test('that others could have written admit nobody', async () => {
    const dir = await privateDirectory();
    const { token } = await create(dir);
    const [name = ''] = await readdir(join(dir, 'join-tokens'));
    await chmod(join(dir, 'join-tokens', name), 0o620);
    await expectIdentityError('ERR_NOT_PRIVATE', redeem(dir, token));
    await chmod(join(dir, 'join-tokens', name), 0o600);
    await chmod(join(dir, 'agents'), 0o770);
    await expectIdentityError('ERR_NOT_PRIVATE', redeem(dir, token));
    await chmod(join(dir, 'agents'), 0o700);
    expect(await redeem(dir, token)).toMatchObject({ workload: 'trading/gateway-7d9f' });
  });
});

function redeemProgram(dir: string, token: string): string {
  const module = new URL('../../../src/identity/join-tokens.ts', import.meta.url).href;
  const options = `{ ...${JSON.stringify({ dir, token })}, publicKey: Buffer.from('${anotherKey()}'), now: new Date('${now.toISOString()}') }`;
  return `(await import(${JSON.stringify(module)})).redeemJoinToken(${options})`;
}
