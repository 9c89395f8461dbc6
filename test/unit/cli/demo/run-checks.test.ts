import { expect, test } from 'vitest';
import { type Check, type CheckId, checkIds } from '../../../../src/cli/demo/check.ts';
import { checkPlan } from '../../../../src/cli/demo/checks/index.ts';
import { runChecks } from '../../../../src/cli/demo/run-checks.ts';
import type { RunningMesh } from '../../../../src/cli/demo/running-mesh.ts';

test('every check is in the plan exactly once', () => {
  const planned = [...checkPlan.background, ...checkPlan.inOrder, ...checkPlan.last].map(({ id }) => id);
  expect([...planned].sort()).toEqual([...checkIds].sort());
});

/** Only the traffic and the names are touched by the runner itself. */
function fakeMesh(): { mesh: RunningMesh; events: string[] } {
  const events: string[] = [];
  const names = ['gateway', 'ai-engine', 'execution', 'risk-safety', 'rl-training'];
  const mesh = {
    services: names.map((name) => ({ name })),
    signal: new AbortController().signal,
    traffic: { start: () => events.push('start'), stop: async () => events.push('stop') },
  } as unknown as RunningMesh;
  return { mesh, events };
}

const check = (id: CheckId, run: Check['run']): Check => ({ id, run });

test('the background goes on beside the others, and the last ones come after it', async () => {
  const { mesh, events } = fakeMesh();
  const release = Promise.withResolvers<void>();
  const step = (name: string) => async () => {
    events.push(name);
    return { ok: true, detail: name };
  };
  const results = await runChecks({
    mesh,
    onResult: () => {},
    plan: {
      background: [
        check('svid-rotation', async () => {
          await release.promise;
          return await step('background')();
        }),
      ],
      inOrder: [
        check('allowed-call', step('first')),
        check('denied-call', async () => {
          release.resolve();
          return await step('second')();
        }),
      ],
      last: [check('handshake-group', step('last'))],
    },
  });
  expect(events.indexOf('first')).toBeLessThan(events.indexOf('second'));
  expect(events.at(-2)).toBe('last');
  expect(events.at(-1)).toBe('stop');
  expect(results.map(({ id }) => id)).toEqual([...checkIds]);
});

test('a check that throws has failed, and the others still run; one that was not run has failed too', async () => {
  const { mesh } = fakeMesh();
  const seen: string[] = [];
  const results = await runChecks({
    mesh,
    onResult: ({ id, ok }) => seen.push(`${id} ${ok}`),
    plan: {
      background: [],
      inOrder: [
        check('allowed-call', async () => {
          throw new Error('no route');
        }),
        check('denied-call', async () => ({ ok: true, detail: '' })),
      ],
      last: [],
    },
  });
  expect(seen).toEqual(['allowed-call false', 'denied-call true']);
  const of = (id: CheckId) => results.find((result) => result.id === id);
  expect(of('allowed-call')).toMatchObject({ ok: false, detail: 'could not be checked: no route' });
  expect(of('tcp-tunnel')).toMatchObject({ ok: false, detail: 'was not run' });
});
