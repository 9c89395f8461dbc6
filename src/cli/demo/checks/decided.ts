// What the checks have in common that ask for one decision after another: each call has one right outcome, reason and all.

import { unless, type Verdict, verdict } from '../check.ts';

const ok = 200;
const forbidden = 403;
/** Enough to see a pattern in. */
const shownProblems = 3;

/** The right outcome of a call. */
export type Outcome =
  /** The application answers, and has heard this path. */
  | { readonly heard: string }
  /** The mesh denies, with this reason and no other. */
  | { readonly reason: string }
  /** The proxy refuses the request before anything is decided. */
  | { readonly status: number };

export interface DecidedCall {
  /** For people. */
  readonly name: string;
  readonly expected: Outcome;
  readonly answer: DecidedAnswer;
}

export interface DecidedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** How the proxy reports what its agent has denied. */
export function deniedByAgent(policy: string, rule: number, cause: string): Outcome {
  return { reason: `ext_authz_denied[deny:${policy}:rule-${rule}:${cause}]` };
}

export function reasonOf({ headers }: Pick<DecidedAnswer, 'headers'>): string {
  return String(headers['x-trellis-denied'] ?? '');
}

/** @param detail of the verdict when all is well */
export function judgeDecided(calls: readonly DecidedCall[], detail: string): Verdict {
  const allowed = calls.some(({ expected }) => 'heard' in expected);
  const denied = calls.some(({ expected }) => 'reason' in expected);
  const problems = calls.map(problem).filter((found) => found !== undefined);
  const more = problems.length - shownProblems;
  return verdict(
    [
      unless(allowed && denied, 'there must be calls that are allowed and calls that are denied'),
      ...problems.slice(0, shownProblems),
      unless(more <= 0, `and ${more} more`),
    ],
    detail,
  );
}

function problem({ name, expected, answer }: DecidedCall): string | undefined {
  const { status, body } = answer;
  const said = reasonOf(answer);
  if ('heard' in expected) {
    if (status !== ok) return `${name}: HTTP ${status} ${said}`.trimEnd();
    const path = heardPath(body);
    return unless(path === expected.heard, `${name}: the application heard ${path}`);
  }
  const wanted = 'status' in expected ? expected.status : forbidden;
  if (status !== wanted) return `${name}: HTTP ${status} ${said}`.trimEnd();
  if ('status' in expected) return undefined;
  if (said !== expected.reason)
    return `${name}: the denial says ${said || 'nothing'}, not ${expected.reason}`;
  return unless(body.includes(expected.reason), `${name}: the body does not say ${expected.reason}`);
}

function heardPath(body: string): string {
  try {
    return String((JSON.parse(body) as { path?: unknown }).path);
  } catch {
    return 'something else';
  }
}
