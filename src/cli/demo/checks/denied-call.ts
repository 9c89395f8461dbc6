// What the policies do not allow is answered by the proxy, with the name of the policy.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import type { HttpAnswer } from '../http.ts';
import { serviceNamed } from '../running-mesh.ts';
import { type Call, callService, describeCall } from '../workload-client.ts';

const forbidden = 403;

/** Each for another reason: the caller, the method, the path, an empty list of rules. */
const calls: readonly Call[] = [
  { from: 'federation-ai', to: 'portfolio', method: 'GET', path: '/positions/eur-usd' },
  { from: 'gateway', to: 'execution', method: 'GET', path: '/orders/42' },
  { from: 'gateway', to: 'ai-engine', method: 'POST', path: '/models/eur-usd' },
  { from: 'gateway', to: 'monitoring', method: 'GET', path: '/metrics' },
];

export interface DeniedCall {
  readonly call: Call;
  /** `<namespace>/<name>` of the policy that should deny it. */
  readonly policy: string;
  readonly answer: HttpAnswer;
}

export const deniedCall: Check = {
  id: 'denied-call',
  run: async (mesh) =>
    judge(
      await Promise.all(
        calls.map(async (call) => {
          const to = serviceNamed(mesh, call.to);
          const answer = await callService(serviceNamed(mesh, call.from), to, call);
          return { call, policy: `${to.namespace}/${to.name}`, answer };
        }),
      ),
    ),
};

export function judge(denied: readonly DeniedCall[]): Verdict {
  const problems = denied.map(({ call, policy, answer }) => {
    if (answer.status !== forbidden) return `${describeCall(call)}: HTTP ${answer.status}`;
    const named = `[deny:${policy}]`;
    const header = String(answer.headers['x-trellis-denied'] ?? '');
    if (!header.includes(named))
      return `${describeCall(call)}: the denial says ${header || 'nothing'}, not ${named}`;
    return unless(answer.body.includes(named), `${describeCall(call)}: the body does not name ${named}`);
  });
  return verdict(
    [...problems, unless(denied.length > 0, 'no call')],
    denied.map(({ call, policy }) => `${describeCall(call)}: 403 by ${policy}`).join(', '),
  );
}
