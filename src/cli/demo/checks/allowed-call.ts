// What the policies allow goes through, and it is the right application that answers.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import type { HttpAnswer } from '../http.ts';
import { serviceNamed } from '../running-mesh.ts';
import { type Call, callService, describeCall } from '../workload-client.ts';

const ok = 200;

const calls: readonly Call[] = [
  { from: 'gateway', to: 'ai-engine', method: 'POST', path: '/predict' },
  { from: 'ai-engine', to: 'risk-safety', method: 'POST', path: '/checks/prediction' },
  { from: 'gateway', to: 'execution', method: 'POST', path: '/orders/42' },
  { from: 'execution', to: 'risk-safety', method: 'POST', path: '/checks/order' },
  { from: 'gateway', to: 'portfolio', method: 'GET', path: '/positions/eur-usd' },
  { from: 'federation-ai', to: 'rl-training', method: 'POST', path: '/gradients' },
  { from: 'monitoring', to: 'gateway', method: 'GET', path: '/metrics' },
];

export interface AnsweredCall {
  readonly call: Call;
  readonly answer: Pick<HttpAnswer, 'status' | 'body'>;
}

export const allowedCall: Check = {
  id: 'allowed-call',
  run: async (mesh) =>
    judge(
      await Promise.all(
        calls.map(async (call) => ({
          call,
          answer: await callService(serviceNamed(mesh, call.from), serviceNamed(mesh, call.to), call),
        })),
      ),
    ),
};

export function judge(answered: readonly AnsweredCall[]): Verdict {
  const problems = answered.map(({ call, answer }) => {
    if (answer.status !== ok) return `${describeCall(call)}: HTTP ${answer.status}`;
    const service = answeringService(answer.body);
    return unless(service === call.to, `${describeCall(call)}: ${service} answered`);
  });
  return verdict(
    [...problems, unless(answered.length > 0, 'no call')],
    `${answered.length} calls: ${answered.map(({ call }) => `${call.from} → ${call.to}`).join(', ')}`,
  );
}

function answeringService(body: string): string {
  try {
    return String((JSON.parse(body) as { service?: unknown }).service);
  } catch {
    return 'something else';
  }
}
