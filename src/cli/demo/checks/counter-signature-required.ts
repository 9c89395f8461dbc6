// Where a policy says `quantumAuthentication: hybrid`, the mesh's ML-DSA key alone makes no identities. A thief of it makes
// certificates that TLS takes for genuine, and gets through with them where the policy says `enabled`; where it says
// hybrid, the agent misses the second signature, and the connection ends before an answer.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { type CounterFlaw, forgeWithStolenKey, readCaFiles } from '../forge.ts';
import { memberAs, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { type Attempt, attempt } from '../tls-client.ts';
import { judgeRefusals, observeAttacks, type RefusalObservation } from './refusals.ts';

const ok = 200;
/** Whose identity the thief makes, and two services that it may call. */
const victim = 'gateway';
const lax = { service: 'ai-engine', request: { method: 'POST', path: '/predict' } } as const;
const strict = { service: 'execution', request: { method: 'POST', path: '/orders/stolen' } } as const;
/** Of the filter that asks the agent once per connection. */
const counter = 'counter_signature.denied';

const flaws: ReadonlyMap<string, CounterFlaw> = new Map([
  ['without a counter-signature', 'missing'],
  ['counter-signed by another key', 'of another key'],
]);

export interface CounterSignatureObservation {
  /** What the thief's certificates are good for where the policy says `enabled`. */
  readonly lax: ReadonlyMap<string, Attempt>;
  /** The same certificates where it says `hybrid`. */
  readonly strict: RefusalObservation;
}

export const counterSignatureRequired: Check = {
  id: 'counter-signature-required',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<CounterSignatureObservation> {
  const { trustDomain } = mesh;
  const files = await readCaFiles(mesh.controlPlane.state);
  const member = memberAs(mesh, victim);
  const { spiffeId } = member;
  const forged = new Map(
    [...flaws].map(([name, flaw]) => [name, forgeWithStolenKey(files, { spiffeId, trustDomain, flaw })]),
  );
  const toLax = await member.client(serviceNamed(mesh, lax.service));
  const seen = new Map<string, Attempt>();
  for (const [name, identity] of forged) seen.set(name, await attempt({ ...toLax, identity }, lax.request));
  const service = serviceNamed(mesh, strict.service);
  const attacks = [...forged].map(([name, identity]) => ({ name, differs: { identity }, counted: counter }));
  const refusals = await observeAttacks(service, await member.client(service), attacks, strict.request);
  return { lax: seen, strict: refusals };
}

export function judge({ lax: accepted, strict: refusals }: CounterSignatureObservation): Verdict {
  const refused = judgeRefusals(refusals);
  return verdict(
    [
      unless(accepted.size > 0, 'nothing was tried'),
      ...[...accepted].map(([name, seen]) =>
        unless(answeredOk(seen), `${lax.service} did not answer a client ${name}: ${describe(seen)}`),
      ),
      ...refusals.controls.map((seen) =>
        unless(answeredOk(seen), `${strict.service} did not answer the right client: ${describe(seen)}`),
      ),
      unless(refused.ok, refused.detail),
    ],
    `with ${victim}'s identity from a stolen ML-DSA key, ${lax.service} (enabled) answers; ${strict.service} (hybrid) ${refused.detail}`,
  );
}

function answeredOk(seen: Attempt): boolean {
  return seen.kind === 'answered' && seen.status === ok;
}

function describe(seen: Attempt): string {
  return seen.kind === 'answered' ? `HTTP ${seen.status}` : `${seen.kind}: ${seen.reason}`;
}
