import { describe, expect, test } from 'vitest';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { isTransient, type RetryRules, Transient, withRetries } from '../../../../src/registry/http/retry.ts';

const away = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away', { status: 503 });

function rules(overrides: Partial<RetryRules> = {}) {
  const pauses: number[] = [];
  const all: RetryRules = {
    maxAttempts: 4,
    maxPauseMs: 5_000,
    now: () => new Date('2030-01-01T00:00:00Z'),
    random: () => 1,
    sleep: async (ms) => void pauses.push(ms),
    ...overrides,
  };
  return { ...all, pauses };
}

/** Fails so often, and then gives a value. */
function failing(times: number, retryAfter?: string) {
  let calls = 0;
  const attempt = async (): Promise<string | Transient> => {
    calls += 1;
    return calls <= times ? new Transient(away, retryAfter) : 'value';
  };
  return { attempt, calls: () => calls };
}

test('what works at once is done once', async () => {
  const given = rules();
  const { attempt, calls } = failing(0);
  expect(await withRetries(given, attempt)).toBe('value');
  expect([calls(), given.pauses]).toEqual([1, []]);
});

test('pauses double', async () => {
  const given = rules();
  expect(await withRetries(given, failing(3).attempt)).toBe('value');
  expect(given.pauses).toEqual([250, 500, 1_000]);
});

test('pauses are at random, by half', async () => {
  const given = rules({ random: () => 0 });
  await withRetries(given, failing(3).attempt);
  expect(given.pauses).toEqual([125, 250, 500]);
});

test('pauses end at the longest that is allowed', async () => {
  const given = rules({ maxPauseMs: 300 });
  await withRetries(given, failing(3).attempt);
  expect(given.pauses).toEqual([250, 300, 300]);
});

test('the attempts have an end', async () => {
  const given = rules();
  const { attempt, calls } = failing(100);
  await expect(withRetries(given, attempt)).rejects.toBe(away);
  expect([calls(), given.pauses.length]).toEqual([4, 3]);
});

describe('Retry-After', () => {
  test.each([
    ['3', 3_000],
    ['0', 250],
    ['Tue, 01 Jan 2030 00:00:02 GMT', 2_000],
    ['Tue, 01 Jan 2019 00:00:00 GMT', 250],
    ['soon', 250],
    ['-1', 250],
  ])('%s', async (header, pause) => {
    const given = rules();
    await withRetries(given, failing(1, header).attempt);
    expect(given.pauses).toEqual([pause]);
  });

  test('that is too long is not waited for', async () => {
    const given = rules();
    const { attempt, calls } = failing(1, '3600');
    await expect(withRetries(given, attempt)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNREACHABLE',
      status: 503,
      message: expect.stringContaining('3600 s'),
    });
    expect([calls(), given.pauses]).toEqual([1, []]);
  });
});

test('other errors are not tried again', async () => {
  let calls = 0;
  const attempt = async (): Promise<string> => {
    calls += 1;
    throw away;
  };
  await expect(withRetries(rules(), attempt)).rejects.toBe(away);
  expect(calls).toBe(1);
});

test('a pause ends when the caller gives up', async () => {
  const controller = new AbortController();
  const given = rules({
    sleep: async (_, signal) => {
      controller.abort(new Error('enough'));
      signal?.throwIfAborted();
    },
  });
  const { attempt, calls } = failing(100);
  await expect(withRetries(given, attempt, controller.signal)).rejects.toThrow('enough');
  expect(calls()).toBe(1);
});

test.each([
  [408, true],
  [429, true],
  [500, true],
  [502, true],
  [503, true],
  [504, true],
  [404, false],
  [401, false],
  [501, false],
])('%d passes: %s', (status, expected) => {
  expect(isTransient(status)).toBe(expected);
});
