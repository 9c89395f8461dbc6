// A workload's agent is killed without warning. What its proxy decides alone goes on; what needs the agent is denied, never
// allowed, until a new agent has joined the mesh at the same socket. Nobody touches the proxy.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { agentOf, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import type { TrafficRecord } from '../traffic.ts';
import { waitFor } from '../wait.ts';
import { openTunnel, type TunnelAnswer } from '../workload-client.ts';
import { reasonOf } from './decided.ts';
import { callersToken, callWithToken } from './token-required.ts';

const ok = 200;
const forbidden = 403;
const unavailable = 503;
const target = 'portfolio';
/** May open the target's TCP port, which the proxy decides alone. */
const tunneller = 'execution';
const said = 'balance eur\n';
const tunnels = 3;
/** How long the agent stays away at least. */
const awayMs = 1000;
const timeoutMs = 15_000;
const pauseMs = 20;
/** Answers after the first one that must be right as well. */
const confirmations = 10;
const noAnswer = 'ext_authz_error[the agent did not answer; try again]';
const missing = /:token-missing\]$/;

/** An answer to a call that needs the agent. */
export interface Sample {
  /** When it came (`performance.now()`). */
  readonly at: number;
  readonly status: number;
  /** Of the denial. */
  readonly reason: string;
}

/** Answers to the same call with what the policy demands and without it, in order. */
interface Samples {
  readonly proven: Sample[];
  readonly unproven: Sample[];
}

export interface AgentRestartObservation {
  readonly before: number;
  /** From the death of the agent on. */
  readonly samples: { readonly [kind in keyof Samples]: readonly Sample[] };
  /** When the new agent was started. */
  readonly startedAt: number;
  /** Opened while there was no agent. */
  readonly tunnels: readonly Pick<TunnelAnswer, 'status' | 'echoed'>[];
  /** To other workloads, from the agent's death to the end of the check. */
  readonly traffic: TrafficRecord;
}

export const agentRestart: Check = {
  id: 'agent-restart',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<AgentRestartObservation> {
  const { traffic, signal } = mesh;
  const agent = agentOf(mesh, target);
  const token = await callersToken(mesh);
  const { status: before } = await callWithToken(mesh, token);
  const mark = traffic.mark();
  await agent.process.crash();
  const samples: Samples = { proven: [], unproven: [] };
  const done = new AbortController();
  const sampling = sample(mesh, token, samples, done.signal);
  let seen: AgentRestartObservation['tunnels'];
  let startedAt: number;
  try {
    [seen] = await Promise.all([openTunnels(mesh), sleep(awayMs, undefined, { signal })]);
  } finally {
    startedAt = await agent.restart();
  }
  try {
    await waitFor({ what: 'the calls to work again', timeoutMs, signal }, () => {
      return samples.proven.filter(({ status }) => status === ok).length > confirmations || undefined;
    }).catch(() => {});
  } finally {
    done.abort();
    await sampling.catch(() => {});
  }
  return { before, samples, startedAt, tunnels: seen, traffic: traffic.since(mark) };
}

async function sample(mesh: RunningMesh, token: string, into: Samples, done: AbortSignal): Promise<void> {
  const take = async (given: string | undefined): Promise<Sample> => {
    const answer = await callWithToken(mesh, given);
    return { at: performance.now(), status: answer.status, reason: reasonOf(answer) };
  };
  while (!done.aborted) {
    into.proven.push(await take(token));
    into.unproven.push(await take(undefined));
    await sleep(pauseMs);
  }
}

function openTunnels(mesh: RunningMesh): Promise<readonly TunnelAnswer[]> {
  const to = serviceNamed(mesh, target);
  const [port = 0] = to.tcpPorts;
  const from = serviceNamed(mesh, tunneller);
  return Promise.all(Array.from({ length: tunnels }, () => openTunnel(from, to, port, said)));
}

export function judge({
  before,
  samples,
  startedAt,
  tunnels: opened,
  traffic,
}: AgentRestartObservation): Verdict {
  const { proven, unproven } = samples;
  const away = [...proven, ...unproven].filter(({ at }) => at < startedAt);
  const back = proven.findIndex(({ status }) => status === ok);
  const after = back === -1 ? [] : proven.slice(back);
  const starting = proven.slice(0, back === -1 ? undefined : back).filter(({ at }) => at >= startedAt);
  const last = unproven.at(-1);
  return verdict(
    [
      unless(before === ok, `before: HTTP ${before}`),
      unless(away.length > 0, 'nothing was asked while there was no agent'),
      others('without an agent', away, ({ status, reason }) => status === unavailable && reason === noAnswer),
      others(
        'while the agent was starting',
        starting,
        ({ status }) => status === unavailable || status === forbidden,
      ),
      unless(after.length > confirmations, 'the call did not work again'),
      others('afterwards', after, ({ status }) => status === ok),
      others('without a token', unproven, ({ status }) => status === unavailable || status === forbidden),
      unless(
        last !== undefined && missing.test(last.reason),
        `in the end, without a token: HTTP ${last?.status} ${last?.reason}`,
      ),
      unless(
        opened.length > 0 &&
          opened.every(({ status, echoed }) => status === ok && echoed.toString() === said),
        `without an agent, TCP to ${target}: ${opened.map(({ status }) => `HTTP ${status}`).join(', ') || 'not tried'}`,
      ),
      unless(traffic.sent > 0, 'there was no traffic'),
      unless(
        traffic.failed === 0,
        `${traffic.failed} of ${traffic.sent} requests failed: ${traffic.failures.slice(0, 3).join('; ')}`,
      ),
    ],
    `agent of ${target} killed: ${away.length} calls that need it got 503, ${opened.length} TCP connections and ${traffic.sent} requests that do not went on; failing closed ended ${Math.round((after[0]?.at ?? 0) - startedAt)} ms after a new agent was started`,
  );
}

/** The first that is not as it should be, and how many there are. */
function others(when: string, seen: readonly Sample[], right: (each: Sample) => boolean): string | undefined {
  const wrong = seen.filter((each) => !right(each));
  const [first] = wrong;
  if (first === undefined) return undefined;
  return `${when}, ${wrong.length} of ${seen.length}: HTTP ${first.status} ${first.reason}`.trimEnd();
}
