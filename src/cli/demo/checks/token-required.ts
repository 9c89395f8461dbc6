// A rule with `token` wants a second proof in the request itself. The caller's own ML-DSA token for this workload gets
// through; no token, and every other one that a caller could get hold of, is denied with what is wrong with it.

import { fetchToken } from '../../../agent/token-client.ts';
import type { TokenType } from '../../../identity/tokens/types.ts';
import type { Check, Verdict } from '../check.ts';
import { agentOf, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { type Call, callService } from '../workload-client.ts';
import { type DecidedCall, deniedByAgent, judgeDecided, type Outcome } from './decided.ts';

const call: Call = { from: 'rl-training', to: 'portfolio', method: 'GET', path: '/history/2026' };
/** Of the rule in policies/portfolio.yaml. */
const rule = 2;
/** A workload that may not read the history: its token is what a thief would bring. */
const other = 'gateway';

export const tokenRequired: Check = {
  id: 'token-required',
  run: async (mesh) => judge(await observe(mesh)),
};

/** A token for the workload that is called, as its caller gets it from the agent on its node. */
export function callersToken(mesh: RunningMesh): Promise<string> {
  return tokenOf(mesh, call.from, serviceNamed(mesh, call.to).spiffeId);
}

/** The call that needs a token, with one or without. */
export function callWithToken(mesh: RunningMesh, token: string | undefined) {
  const { from, to, method, path } = call;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return callService(serviceNamed(mesh, from), serviceNamed(mesh, to), { method, path, headers });
}

async function tokenOf(
  mesh: RunningMesh,
  workload: string,
  audience: string,
  type: TokenType = 'ML-DSA',
): Promise<string> {
  return (await fetchToken(agentOf(mesh, workload).socket, { type, audience })).token;
}

async function observe(mesh: RunningMesh): Promise<readonly DecidedCall[]> {
  const { name, namespace, spiffeId: audience } = serviceNamed(mesh, call.to);
  const wrongAudience = serviceNamed(mesh, other).spiffeId;
  const own = await callersToken(mesh);
  const forOther = await tokenOf(mesh, call.from, wrongAudience);
  const denied = (cause: string): Outcome => deniedByAgent(`${namespace}/${name}`, rule, cause);
  const tries: readonly (readonly [name: string, token: string | undefined, expected: Outcome])[] = [
    ['no token', undefined, denied('token-missing')],
    ["the caller's token", own, { heard: call.path }],
    ['a token for another workload', forOther, denied('token-audience')],
    ['a stolen token', await tokenOf(mesh, other, audience), denied('token-subject')],
    ['a JWT-SVID', await tokenOf(mesh, call.from, audience, 'JWT-SVID'), denied('token-type')],
    ['a token with its audience altered', withAudience(forOther, audience), denied('token-signature')],
    ["the caller's token again", own, { heard: call.path }],
  ];
  const calls: DecidedCall[] = [];
  for (const [what, token, expected] of tries) {
    calls.push({ name: what, expected, answer: await callWithToken(mesh, token) });
  }
  return calls;
}

/** The same token with another claim and the old signature (RFC 7515 §3.1). */
export function withAudience(token: string, audience: string): string {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')), aud: [audience] };
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}

export function judge(calls: readonly DecidedCall[]): Verdict {
  const denied = calls.flatMap(({ name, expected }) =>
    'reason' in expected ? [`${name} (${expected.reason.split(':').at(-1)?.replace(']', '')})`] : [],
  );
  return judgeDecided(
    calls,
    `${call.from} → ${call.to} ${call.path}: 200 with the caller's ML-DSA token, 403 for ${denied.join(', ')}`,
  );
}
