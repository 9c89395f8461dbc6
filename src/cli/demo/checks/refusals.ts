// What the checks have in common that try to get past the handshake: an attempt counts as refused only when the server
// ended the handshake, and the refusal means something only because the right client got through at the same place.

import { unless, type Verdict, verdict } from '../check.ts';
import { readStats, type Stats } from '../envoy-admin.ts';
import type { DemoService } from '../services.ts';
import { type Attempt, attempt, type TlsClientOptions, type TlsRequest } from '../tls-client.ts';

export interface Attack {
  /** What is wrong with this client. */
  readonly name: string;
  /** How it differs from the right one. */
  readonly differs: Partial<TlsClientOptions>;
  /** The end of the counter with which the proxy must say why it refused, e.g. `fail_verify_error`. */
  readonly counted?: string;
}

export interface RefusalObservation {
  /** The right client, before the attacks and after them. */
  readonly controls: readonly Attempt[];
  readonly attacks: readonly AttackObservation[];
}

interface AttackObservation {
  readonly name: string;
  readonly attempt: Attempt;
  readonly counted: { readonly name: string; readonly before: number; readonly after: number } | undefined;
}

/** @param request what everybody sends who gets past the handshake */
export async function observeAttacks(
  service: DemoService,
  right: TlsClientOptions,
  attacks: readonly Attack[],
  request?: TlsRequest,
): Promise<RefusalObservation> {
  const controls = [await attempt(right, request)];
  const seen: AttackObservation[] = [];
  for (const { name, differs, counted } of attacks) {
    const before = await listenerStats(service);
    const outcome = await attempt({ ...right, ...differs }, request);
    const after = await listenerStats(service);
    seen.push({
      name,
      attempt: outcome,
      counted:
        counted === undefined
          ? undefined
          : { name: counted, before: sum(before, counted), after: sum(after, counted) },
    });
  }
  controls.push(await attempt(right, request));
  return { controls, attacks: seen };
}

function listenerStats(service: DemoService): Promise<Stats> {
  return readStats(service, '^listener\\..*\\.ssl\\.(fail_|connection_error)|^ext_authz\\.');
}

function sum(stats: Stats, counter: string): number {
  return [...stats].reduce(
    (total, [name, value]) => (name.endsWith(`.${counter}`) ? total + value : total),
    0,
  );
}

export function judgeRefusals({ controls, attacks }: RefusalObservation): Verdict {
  const control = controls.map((seen) =>
    unless(
      seen.kind === 'answered',
      `the right client did not get through either: ${seen.kind === 'answered' ? '' : seen.reason}`,
    ),
  );
  return verdict(
    [
      unless(controls.length > 0 && attacks.length > 0, 'nothing was tried'),
      ...control,
      ...attacks.flatMap(attackProblems),
    ],
    `refused: ${attacks.map(describeAttack).join(', ')}; the right client gets through before and after`,
  );
}

function attackProblems({
  name,
  attempt: seen,
  counted,
}: AttackObservation): readonly (string | undefined)[] {
  if (seen.kind === 'answered') return [`${name}: got through, HTTP ${seen.status}`];
  if (seen.kind === 'failed') return [`${name}: neither refused nor accepted: ${seen.reason}`];
  if (counted === undefined) return [];
  return [
    unless(
      counted.after > counted.before,
      `${name}: refused (${seen.reason}), but the proxy did not count it under ${counted.name}`,
    ),
  ];
}

function describeAttack({ name, attempt: seen }: AttackObservation): string {
  return `${name} (${seen.kind === 'answered' ? seen.status : seen.reason})`;
}
