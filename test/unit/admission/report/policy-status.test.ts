import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Usability } from '../../../../src/admission/images/policies/usability.ts';
import { runPolicyStatus } from '../../../../src/admission/report/policy-status.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../../../src/sources/kubernetes/errors.ts';
import type { PolicyVerdict } from '../../../../src/sources/kubernetes/mesh/policy-verdicts.ts';
import { FakeKube } from '../../../support/fake-kube.ts';
import { conditionsOf, now, said, usable, verdict } from './policy-verdicts.ts';

let verdicts: readonly PolicyVerdict[] | undefined;
let leads: boolean;
let asked: KubeRequest[];
let answer: (request: KubeRequest) => void;
let find: (policy: Policy) => Promise<Usability>;
let failures: unknown[];
let slept: number[];
/** For each policy. */
let checkMs: number;
beforeEach(() => {
  verdicts = [verdict()];
  leads = true;
  asked = [];
  answer = () => {};
  find = async () => usable;
  failures = [];
  slept = [];
  checkMs = 0;
});

/** @param between what happens after each of them */
async function rounds(count: number, between: (round: number) => void = () => {}): Promise<void> {
  const controller = new AbortController();
  const limits = { pollMs: 20, pauseMs: 1, retryMs: 30, usableMs: 100, otherMs: 30, refreshMs: 10 };
  let done = 0;
  let time = 0;
  const client = new FakeKube((request) => {
    asked.push(request);
    answer(request);
  });
  await runPolicyStatus({
    ...{ client, limits, verdicts: () => verdicts, isLeader: () => leads, signal: controller.signal },
    usabilityOf: async (policy) => {
      const found = await find(policy);
      time += checkMs;
      return found;
    },
    failed: (error) => failures.push(error),
    clock: {
      ...{ now: () => now, monotonic: () => time },
      sleep: async (ms) => {
        slept.push(ms);
        time += ms;
        if (ms === limits.pauseMs) return;
        done += 1;
        between(done);
        if (done === count) controller.abort();
      },
    },
  });
}

const names = () => asked.map(({ path }) => path.split('/').at(-2)).join('');

const failing = (code: KubernetesErrorCode) => () => {
  throw new KubernetesError(code, 'no');
};

test('replaces the status of the version that it is about', async () => {
  await rounds(1);
  expect(asked).toMatchObject([
    {
      method: 'PATCH',
      path: '/apis/security.quantum.io/v1/namespaces/trading/quantumsecuritypolicies/a/status',
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion: '7' }, status: { observedGeneration: 3 } },
    },
  ]);
});

test('writes a version once, and the next one when there is something to say of it', async () => {
  await rounds(4, (round) => {
    if (round === 2) verdicts = [verdict({ resourceVersion: '8', status: said })];
    if (round === 3) verdicts = [verdict({ resourceVersion: '9', status: said, inForce: false })];
  });
  expect(asked.map(({ body }) => (body as { metadata: object }).metadata)).toEqual([
    { resourceVersion: '7' },
    { resourceVersion: '9' },
  ]);
});

test('is the leader alone, asked before each', async () => {
  verdicts = [verdict(), verdict({ name: 'b', uid: 'uid-b' })];
  answer = () => {
    leads = false;
  };
  await rounds(3);
  expect(asked).toHaveLength(1);
  expect(failures).toEqual([]);
});

test('writes nothing while it is not known what became of them', async () => {
  verdicts = undefined;
  await rounds(2);
  expect(asked).toEqual([]);
});

test('pauses after each: many at once are written one after the other', async () => {
  verdicts = ['a', 'b', 'c'].map((name) => verdict({ name, uid: name }));
  await rounds(1);
  expect(asked).toHaveLength(3);
  expect(slept).toEqual([1, 1, 1, 20]);
});

test.each(['ERR_KUBE_CONFLICT', 'ERR_KUBE_NOT_FOUND'] as const)(
  'waits for the news after %s',
  async (code) => {
    answer = failing(code);
    await rounds(5, (round) => {
      if (round === 4) verdicts = [verdict({ resourceVersion: '8' })];
    });
    expect(asked).toHaveLength(2);
    expect(failures).toEqual([]);
  },
);

const many = (named: string) => [...named].map((name) => verdict({ name, uid: `uid-${name}` }));
/** Only these fail. */
const failingFor = (named: string, code: KubernetesErrorCode) => {
  answer = ({ path }) => {
    if (named.includes(path.split('/').at(-2) ?? '')) failing(code)();
  };
};

test.each(['ERR_KUBE_FORBIDDEN', 'ERR_KUBE_REFUSED', 'ERR_KUBE_PROTOCOL', 'ERR_KUBE_TOO_LARGE'] as const)(
  'goes on with the others where some are refused (%s), and tries those again later',
  async (code) => {
    verdicts = many('abcde');
    failingFor('abcd', code);
    await rounds(3);
    // 20 ms from round to round, 30 until one is tried again.
    expect(names()).toBe('abcde' + '' + 'abcd');
    expect(failures).toHaveLength(1);
  },
);

test('one that is refused does not keep the news of others waiting', async () => {
  verdicts = many('ab');
  failingFor('a', 'ERR_KUBE_FORBIDDEN');
  await rounds(2, () => {
    verdicts = [verdict({ uid: 'uid-a' }), verdict({ name: 'b', uid: 'uid-b', resourceVersion: '8' })];
  });
  expect(names()).toBe('ab' + 'b');
  expect(slept.filter((ms) => ms > 1)).toEqual([20, 20]);
});

test('one that is edited is tried at once', async () => {
  failingFor('a', 'ERR_KUBE_REFUSED');
  await rounds(2, () => {
    answer = () => {};
    verdicts = [verdict({ resourceVersion: '8' })];
  });
  expect(asked).toHaveLength(2);
});

test.each(['ERR_KUBE_UNREACHABLE', 'ERR_KUBE_TIMEOUT', 'ERR_KUBE_OVERLOADED'] as const)(
  'gives a round up after three for which there is no answer (%s), and begins the next with those behind',
  async (code) => {
    verdicts = many('abcdefg');
    answer = failing(code);
    await rounds(2);
    expect(names()).toBe('abc' + 'def');
    expect(failures).toHaveLength(2);
  },
);

test('policies of which one hangs are all come to', async () => {
  verdicts = many('abcdef');
  failingFor('ace', 'ERR_KUBE_TIMEOUT');
  await rounds(1);
  expect(names()).toBe('abcdef');
});

test('what was not tried yet comes before what is tried again', async () => {
  verdicts = many('abc');
  failingFor('abc', 'ERR_KUBE_TIMEOUT');
  await rounds(3, (round) => {
    if (round === 2) verdicts = many('abcd');
  });
  expect(names()).toBe('abc' + '' + 'dabc');
});

test('forgets what is gone', async () => {
  await rounds(3, (round) => {
    verdicts = round === 1 ? [] : [verdict()];
  });
  expect(asked).toHaveLength(2);
});

test('says of a policy once that it fails, and again when it fails anew', async () => {
  failingFor('a', 'ERR_KUBE_FORBIDDEN');
  await rounds(8, (round) => {
    if (round === 3) answer = () => {};
    if (round === 6) failingFor('a', 'ERR_KUBE_FORBIDDEN');
    if (round === 6) verdicts = [verdict({ resourceVersion: '8' })];
  });
  expect(names()).toBe('aaaa');
  expect(failures).toHaveLength(2);
});

test('has a limit of time for each', async () => {
  await rounds(1);
  expect(asked[0]?.timeoutMs).toBe(10_000);
});

describe('and what a policy refers to', () => {
  const missing: Usability = { kind: 'unusable', problems: ['no ConfigMap'] };
  const statuses = () =>
    asked.map(({ body }) => conditionsOf((body as { status: unknown }).status)[0]?.status).join(' ');
  /** As the watch brings it, after every write. */
  const written = () => {
    const [last] = asked.slice(-1);
    const { status } = (last?.body ?? {}) as { status?: unknown };
    verdicts = verdicts?.map((each) =>
      each.name === 'a' ? { ...each, status, resourceVersion: `${7 + asked.length}` } : each,
    );
  };

  test('is looked at again: what was missing may be there, and what was there may be gone', async () => {
    find = async () => missing;
    let found = 0;
    await rounds(14, (round) => {
      written();
      if (round === 1) find = async () => usable;
      if (round === 4) {
        find = async () => {
          found += 1;
          return missing;
        };
      }
    });
    // 30 ms until the one that was missing is looked for again; 100 until that which was there is.
    expect(statuses()).toBe('False True False');
    expect(found).toBeGreaterThan(0);
  });

  test('is asked about once in a while, and not at every round', async () => {
    const finding = vi.fn(find);
    find = finding;
    await rounds(5, written);
    expect(finding).toHaveBeenCalledTimes(1);
  });

  test('is asked about at once where the policy has changed', async () => {
    const finding = vi.fn(find);
    find = finding;
    await rounds(3, (round) => {
      if (round === 2) verdicts = [verdict({ generation: 4, resourceVersion: '8' })];
    });
    expect(finding).toHaveBeenCalledTimes(2);
  });

  test('is not taken back by an answer that did not come', async () => {
    await rounds(12, (round) => {
      written();
      find = async () => {
        throw new Error('away');
      };
      if (round === 1) expect(statuses()).toBe('True');
    });
    expect(statuses()).toBe('True');
  });

  test('takes no more than its time from what is known', async () => {
    verdicts = many('abcd');
    checkMs = 6;
    await rounds(1);
    expect(names()).toBe('ab');
  });

  test('and those that wait longest come first', async () => {
    verdicts = many('abcd');
    checkMs = 6;
    await rounds(2);
    expect(names()).toBe('ab' + 'cd');
  });

  test('is the leader’s to ask about', async () => {
    leads = false;
    const finding = vi.fn(find);
    find = finding;
    await rounds(2);
    expect(finding).not.toHaveBeenCalled();
  });
});
