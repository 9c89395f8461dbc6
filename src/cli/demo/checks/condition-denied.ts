// A rule with a `condition` allows where the condition is true of the request, and nowhere else: not when it is false or
// cannot be answered, not when a header comes twice and could be read either way, and not when the path is spelled so that
// proxy, agent and application might each read another one.
//
// The caller is a member of the mesh without a proxy that would clean up its requests.

import type { Check, Verdict } from '../check.ts';
import { memberAs, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { TlsClient } from '../tls-client.ts';
import { type DecidedCall, deniedByAgent, judgeDecided, type Outcome } from './decided.ts';

const caller = 'gateway';
const target = 'risk-safety';
const method = 'PUT';
/** Of the rule in policies/risk-safety.yaml: the path is /limits/ and the desk in this header. */
const rule = 2;
const deskHeader = 'x-desk';
const badRequest = 400;

interface Try {
  readonly path: string;
  /** Values of the header, one for each time it is sent. */
  readonly desks: readonly string[];
  readonly expected: Outcome;
}

export const conditionDenied: Check = {
  id: 'condition-denied',
  run: async (mesh) => judge(await observe(mesh)),
};

function tries(policy: string): readonly Try[] {
  const denied = (cause: string): Outcome => deniedByAgent(policy, rule, cause);
  const own: Outcome = { heard: '/limits/fx' };
  const anothers = denied('condition-false');
  return [
    { path: '/limits/fx', desks: ['fx'], expected: own },
    { path: '/limits/fx', desks: ['bonds'], expected: anothers },
    { path: '/limits/fx', desks: [], expected: denied('condition-error') },
    { path: '/limits/fx', desks: ['fx', 'bonds'], expected: denied('duplicate-header') },
    { path: '/limits/fx', desks: ['bonds', 'fx'], expected: denied('duplicate-header') },
    // One merged into the other, as some proxies do, is no desk.
    { path: '/limits/fx', desks: ['bonds,fx'], expected: anothers },
    // All of these are the same path to those who normalize it, and it is the normalized one that arrives.
    ...['//limits/fx', '/limits//fx', '/limits/./fx', '/limits/bonds/../fx', '/limits/%66x'].flatMap(
      (path) => [
        { path, desks: ['fx'], expected: own },
        { path, desks: ['bonds'], expected: anothers },
      ],
    ),
    // To some a slash, to others not.
    { path: '/limits%2ffx', desks: ['fx'], expected: { status: badRequest } },
    { path: '/limits/bonds%2F..%2ffx', desks: ['bonds'], expected: { status: badRequest } },
    { path: '/limits/FX', desks: ['fx'], expected: anothers },
    {
      path: '/LIMITS/fx',
      desks: ['fx'],
      expected: { reason: `rbac_access_denied_matched_policy[deny:${policy}]` },
    },
    { path: '/limits/fx', desks: ['fx'], expected: own },
  ];
}

async function observe(mesh: RunningMesh): Promise<readonly DecidedCall[]> {
  const service = serviceNamed(mesh, target);
  const client = await TlsClient.open(await memberAs(mesh, caller).client(service));
  try {
    const calls: DecidedCall[] = [];
    for (const { path, desks, expected } of tries(`${service.namespace}/${service.name}`)) {
      const headers: Record<string, readonly string[]> = desks.length === 0 ? {} : { [deskHeader]: desks };
      const answer = await client.exchange(method, path, headers);
      calls.push({ name: `${path} of desk ${desks.join(' and ') || 'none'}`, expected, answer });
    }
    return calls;
  } finally {
    client.close();
  }
}

export function judge(calls: readonly DecidedCall[]): Verdict {
  const count = (which: (expected: Outcome) => boolean): number =>
    calls.filter(({ expected }) => which(expected)).length;
  return judgeDecided(
    calls,
    `${caller} → ${target} ${method} /limits/DESK: ${count((expected) => 'heard' in expected)} requests of the desk itself answered; ${count((expected) => !('heard' in expected))} others, with no or two headers and odd spellings of the path, refused`,
  );
}
