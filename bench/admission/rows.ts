// The lines of the results.

import type { Peer, Row } from '../measure/row.ts';
import { quantile } from '../measure/statistics.ts';
import type { Namespace } from './cluster.ts';
import type { Measured, Round } from './measure.ts';

/** What the budget allows beyond a webhook that does nothing. */
const addedMs = 1;
const unseenCpuMs = 3;
const unseenRequests = 5;

const shares = { p50: 0.5, p99: 0.99 } as const;
type Percentile = keyof typeof shares;

const both = 'validating and mutating';

export function rowsOf({ rounds, memory }: Measured): readonly Row[] {
  const each = (value: (round: Round) => number) => rounds.map(value);
  return [
    ...addedRows(rounds, 'validating', 'ours-validates', 'no-op-validates', 'a no-op webhook'),
    ...addedRows(rounds, both, 'ours-both', 'same-patch-both', 'no-op webhooks with the same patch'),
    ...timeRows(rounds, 'validating', 'ours-validates', [
      ['no-op webhook', 'no-op-validates'],
      ['no webhook', 'nobody'],
    ]),
    ...timeRows(rounds, both, 'ours-both', [
      ['no-op webhooks with the same patch', 'same-patch-both'],
      ['no-op webhooks', 'no-op-both'],
    ]),
    {
      what: 'a pod with known images: CPU of the validating webhook',
      unit: 'ms',
      ours: each(({ known }) => known.ours),
      peer: { name: 'no-op server', values: each(({ known }) => known.noOp) },
    },
    {
      what: 'a pod with an image that was never seen: CPU',
      unit: 'ms',
      ours: each(({ unseen }) => unseen.cpuMs),
      goal: { of: 'ours', atMost: unseenCpuMs },
    },
    {
      what: 'a pod with an image that was never seen: requests',
      unit: 'requests',
      ours: each(({ unseen }) => unseen.requests),
      goal: { of: 'ours', atMost: unseenRequests },
    },
    ...memory.map(({ after, mb }): Row => ({ what: `memory ${after}`, unit: 'MB', ours: [mb] })),
  ];
}

function addedRows(
  rounds: readonly Round[],
  webhooks: string,
  ours: Namespace,
  noOp: Namespace,
  noOpName: string,
): readonly Row[] {
  const added = (percentile: Percentile) =>
    rounds.map((round) => percentileOf(round, ours, percentile) - percentileOf(round, noOp, percentile));
  const what = `a pod, ${webhooks}: added to ${noOpName}`;
  return [
    { what: `${what}, p50`, unit: 'ms', ours: added('p50'), goal: { of: 'ours', atMost: addedMs } },
    { what: `${what}, p99`, unit: 'ms', ours: added('p99') },
  ];
}

function timeRows(
  rounds: readonly Round[],
  webhooks: string,
  ours: Namespace,
  peers: readonly (readonly [name: string, namespace: Namespace])[],
): readonly Row[] {
  const values = (namespace: Namespace, percentile: Percentile) =>
    rounds.map((round) => percentileOf(round, namespace, percentile));
  return peers.flatMap(([name, namespace]) =>
    (['p50', 'p99'] as const).map((percentile): Row => {
      const peer: Peer = { name, values: values(namespace, percentile) };
      return { what: `a pod, ${webhooks}: ${percentile}`, unit: 'ms', ours: values(ours, percentile), peer };
    }),
  );
}

function percentileOf({ latencies }: Round, namespace: Namespace, percentile: Percentile): number {
  return quantile(latencies[namespace], shares[percentile]);
}
