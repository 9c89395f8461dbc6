// Runs the checks and keeps their results.

import { type Check, type CheckId, type CheckResult, checkIds } from './check.ts';
import type { CheckPlan } from './checks/index.ts';
import type { RunningMesh } from './running-mesh.ts';
import { serviceNamed } from './running-mesh.ts';
import type { Call } from './workload-client.ts';

/** Constant traffic beside the checks. None of them disturbs these pairs, so none of these requests may fail. */
const constantTraffic: readonly Call[] = [
  { from: 'gateway', to: 'ai-engine', method: 'POST', path: '/predict' },
  { from: 'ai-engine', to: 'risk-safety', method: 'POST', path: '/checks/constant' },
  { from: 'gateway', to: 'execution', method: 'POST', path: '/orders/constant' },
  { from: 'rl-training', to: 'ai-engine', method: 'POST', path: '/models/constant' },
];

export interface RunOptions {
  readonly mesh: RunningMesh;
  readonly plan: CheckPlan;
  /** Told of each result as it comes. */
  readonly onResult: (result: CheckResult) => void;
  readonly now?: () => number;
}

/** Runs all checks; never rejects. The results are in the order of `checkIds`. */
export async function runChecks({
  mesh,
  plan,
  onResult,
  now = () => performance.now(),
}: RunOptions): Promise<readonly CheckResult[]> {
  const results = new Map<CheckId, CheckResult>();
  const run = async (check: Check): Promise<void> => {
    const result = await runOne(check, mesh, now);
    results.set(check.id, result);
    onResult(result);
  };
  for (const call of constantTraffic) {
    mesh.traffic.start(call, serviceNamed(mesh, call.from), serviceNamed(mesh, call.to));
  }
  const background = plan.background.map(run);
  for (const check of plan.inOrder) await run(check);
  await Promise.all(background);
  for (const check of plan.last) await run(check);
  await mesh.traffic.stop();
  return checkIds.map((id) => results.get(id) ?? { id, ok: false, detail: 'was not run', ms: 0 });
}

async function runOne(check: Check, mesh: RunningMesh, now: () => number): Promise<CheckResult> {
  const from = now();
  try {
    mesh.signal.throwIfAborted();
    const { ok, detail } = await check.run(mesh);
    return { id: check.id, ok, detail, ms: Math.round(now() - from) };
  } catch (error) {
    const detail = `could not be checked: ${error instanceof Error ? error.message : String(error)}`;
    return { id: check.id, ok: false, detail, ms: Math.round(now() - from) };
  }
}
