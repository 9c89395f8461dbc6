// A process of its own that stands for election and says, every few milliseconds, whether it leads. Run with its settings as
// JSON in the first argument.

import { createKubeClient } from '../../../src/sources/kubernetes/cluster/client.ts';
import { accessFromKubeconfig } from '../../../src/sources/kubernetes/cluster/kubeconfig.ts';
import { type ElectionTiming, runElection } from '../../../src/sources/kubernetes/lease/election.ts';
import { defaultLimits } from '../../../src/sources/kubernetes/limits.ts';

export interface CandidateSettings {
  readonly kubeconfig: string;
  readonly identity: string;
  readonly timing: ElectionTiming;
}

/** How often a tenure is looked at. */
const lookMs = 2;

const settings = JSON.parse(process.argv[2] ?? '{}') as CandidateSettings;
const client = createKubeClient(await accessFromKubeconfig(settings.kubeconfig), defaultLimits);
const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
const election = runElection({
  ...{ client, namespace: 'default', name: 'leader', identity: settings.identity, timing: settings.timing },
  signal: controller.signal,
  report: { leading: () => {}, failed: () => {} },
});

// The first look after a pause is one in the middle of what was going on.
const timer = setInterval(() => {
  const leads = election.isLeader();
  // One clock for all processes of this machine.
  if (leads) process.stdout.write(`${process.hrtime.bigint()}\n`);
}, lookMs);

await election.ended;
clearInterval(timer);
await client.close();
