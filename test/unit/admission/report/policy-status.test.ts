import { beforeEach, describe, expect, test } from 'vitest';
import { runPolicyStatus, statusOf } from '../../../../src/admission/report/policy-status.ts';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../../../src/sources/kubernetes/errors.ts';
import type { PolicyVerdict } from '../../../../src/sources/kubernetes/mesh/policy-verdicts.ts';
import { FakeKube } from '../../../support/fake-kube.ts';

const now = new Date('2026-11-21T12:00:00.123Z');
const earlier = '2026-11-20T00:00:00Z';

const problem = {
  ...({ severity: 'error', code: 'RootNamespaceOnly', origin: undefined } as const),
  object: { kind: 'QuantumSecurityPolicy', namespace: 'trading', name: 'a' },
  message: 'spec.quarantine: only allowed in the root namespace; its last good version stays in force',
};

function verdict(changes: Partial<PolicyVerdict> = {}): PolicyVerdict {
  return {
    ...{ namespace: 'trading', name: 'a', uid: 'uid-a', resourceVersion: '7', generation: 3 },
    ...{ status: undefined, inForce: true, problems: [] },
    ...changes,
  };
}

const good = {
  ...{ type: 'Ready', status: 'True', reason: 'InForce', message: 'it is in force as it is written' },
  ...{ observedGeneration: 3, lastTransitionTime: earlier },
};
const said = { observedGeneration: 3, conditions: [good] };

describe('the status', () => {
  test('of a policy that is in force', () => {
    expect(statusOf(verdict(), now)).toEqual({
      observedGeneration: 3,
      conditions: [{ ...good, lastTransitionTime: '2026-11-21T12:00:00Z' }],
    });
  });

  test('of one that is not says why, and since when', () => {
    const bad = verdict({ status: said, inForce: false, problems: [problem], generation: 4 });
    expect(statusOf(bad, now)).toEqual({
      observedGeneration: 4,
      conditions: [
        {
          ...{ type: 'Ready', status: 'False', reason: 'RootNamespaceOnly', message: problem.message },
          ...{ observedGeneration: 4, lastTransitionTime: '2026-11-21T12:00:00Z' },
        },
      ],
    });
  });

  test('of one that is not, and nobody knows why, is not good', () => {
    expect(statusOf(verdict({ inForce: false }), now)).toMatchObject({ conditions: [{ status: 'False' }] });
  });

  test('is written when it changes, and only then', () => {
    expect(statusOf(verdict({ status: said }), now)).toBeUndefined();
    const changed = statusOf(verdict({ status: said, generation: 4 }), now);
    expect(changed).toEqual({ observedGeneration: 4, conditions: [{ ...good, observedGeneration: 4 }] });
    expect(statusOf(verdict({ status: { ...said, observedGeneration: 2 } }), now)).toBeDefined();
    const wrong = { ...said, conditions: [{ ...good, message: 'all is lost' }] };
    expect(statusOf(verdict({ status: wrong }), now)).toEqual(said);
  });

  test('keeps the conditions of others, whatever is there', () => {
    const other = { type: 'Conflict', status: 'True', reason: 'X', message: '', lastTransitionTime: earlier };
    const status = { observedGeneration: 3, conditions: [other, 7, { ...good, status: 'Unknown' }] };
    expect(statusOf(verdict({ status }), now)).toMatchObject({ conditions: [other, { status: 'True' }] });
    expect(statusOf(verdict({ status: 'nonsense' }), now)).toMatchObject({ conditions: [{ type: 'Ready' }] });
  });

  test('fits into what the schema allows', () => {
    const long = { ...problem, message: 'x'.repeat(3_000) };
    const status = statusOf(verdict({ inForce: false, problems: [long, long] }), now);
    const [{ message }] = (status as { conditions: [{ message: string }] }).conditions;
    expect([...message].length).toBeLessThanOrEqual(4_096);
  });
});

describe('the writer', () => {
  let verdicts: readonly PolicyVerdict[] | undefined;
  let leads: boolean;
  let asked: KubeRequest[];
  let answer: (request: KubeRequest) => void;
  let failures: unknown[];
  let slept: number[];
  beforeEach(() => {
    verdicts = [verdict()];
    leads = true;
    asked = [];
    answer = () => {};
    failures = [];
    slept = [];
  });

  /** @param between what happens after each of them */
  async function rounds(count: number, between: (round: number) => void = () => {}): Promise<void> {
    const controller = new AbortController();
    const timing = { pollMs: 2, pauseMs: 1, retryMs: 3 };
    let done = 0;
    const client = new FakeKube((request) => {
      asked.push(request);
      answer(request);
    });
    await runPolicyStatus({
      ...{ client, timing, verdicts: () => verdicts, isLeader: () => leads, signal: controller.signal },
      failed: (error) => failures.push(error),
      clock: {
        ...{ now: () => now, monotonic: () => 0 },
        sleep: async (ms) => {
          slept.push(ms);
          if (ms === timing.pauseMs) return;
          done += 1;
          between(done);
          if (done === count) controller.abort();
        },
      },
    });
  }

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
    expect(slept).toEqual([1, 1, 1, 2]);
  });

  test.each(['ERR_KUBE_CONFLICT', 'ERR_KUBE_NOT_FOUND'] as const)(
    'waits for the news after %s',
    async (code) => {
      answer = failing(code);
      await rounds(1);
      expect([failures, slept]).toEqual([[], [2]]);
    },
  );

  test('goes on with the others where one is refused, and tries it again later', async () => {
    verdicts = [verdict(), verdict({ name: 'b', uid: 'uid-b' })];
    answer = ({ path }) => {
      if (path.endsWith('/a/status')) failing('ERR_KUBE_FORBIDDEN')();
    };
    await rounds(2);
    expect(asked.map(({ path }) => path.slice(-8))).toEqual(['a/status', 'b/status', 'a/status']);
    expect(failures).toHaveLength(1);
    expect(slept.filter((ms) => ms === 3)).toHaveLength(2);
  });

  test('ends the round where nothing can be written, and says so once', async () => {
    verdicts = [verdict(), verdict({ name: 'b', uid: 'uid-b' })];
    answer = failing('ERR_KUBE_UNREACHABLE');
    await rounds(3, (round) => {
      if (round === 2) answer = () => {};
    });
    expect(asked).toHaveLength(4);
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_KUBE_UNREACHABLE' })]);
  });
});
