// Every proxy shows the SPIFFE ID of its workload, and the application behind it hears the ID of its caller: the one
// from the certificate, not the one that the caller claims in a header.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { type Attempt, attempt } from '../tls-client.ts';
import { callService } from '../workload-client.ts';
import { whileAllowed } from './probe-edit.ts';

const keyType = 'ml-dsa-65';

export interface IdentityObservation {
  readonly shown: readonly { readonly name: string; readonly expected: string; readonly attempt: Attempt }[];
  readonly callers: readonly HeardCaller[];
}

/** Whom the application heard, when this one called. */
interface HeardCaller {
  readonly expected: string;
  readonly heard: readonly string[];
}

export const spiffeIdentity: Check = {
  id: 'spiffe-identity',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<IdentityObservation> {
  const shown = await Promise.all(
    mesh.services.map(async (service) => ({
      name: service.name,
      expected: service.spiffeId,
      attempt: await attempt(await mesh.probe.client(service)),
    })),
  );
  return { shown, callers: [await throughProxy(mesh), await directly(mesh)] };
}

const request = { method: 'POST', path: '/predict' } as const;
const target = 'ai-engine';

/** What a caller says of itself, which must not reach the application. */
function claim(mesh: RunningMesh): Readonly<Record<string, string>> {
  const { spiffeId } = serviceNamed(mesh, 'execution');
  return { 'x-forwarded-client-cert': `By=${spiffeId};URI=${spiffeId}` };
}

/** An application that lies to its own proxy. */
async function throughProxy(mesh: RunningMesh): Promise<HeardCaller> {
  const gateway = serviceNamed(mesh, 'gateway');
  const { body } = await callService(gateway, serviceNamed(mesh, target), {
    ...request,
    headers: claim(mesh),
  });
  return { expected: gateway.spiffeId, heard: heardCallers(body) };
}

/** A member of the mesh that lies to the other side's proxy, once the policy lets it in. */
function directly(mesh: RunningMesh): Promise<HeardCaller> {
  return whileAllowed(mesh, target, request.path, async (client) => {
    const { body } = await client.exchange(request.method, request.path, claim(mesh));
    return { expected: mesh.probe.spiffeId, heard: heardCallers(body) };
  });
}

function heardCallers(body: string): readonly string[] {
  const { callers } = JSON.parse(body) as { callers?: readonly string[] };
  return callers ?? [];
}

export function judge({ shown, callers }: IdentityObservation): Verdict {
  const identities = shown.map(({ name, expected, attempt: seen }) => {
    if (seen.kind !== 'answered') return `${name}: ${seen.kind}: ${seen.reason}`;
    const { uris, keyType: type } = seen.peer;
    if (uris.length !== 1 || uris[0] !== expected)
      return `${name} shows ${uris.join(', ') || 'no URI'}, not ${expected}`;
    return unless(type === keyType, `${name} has a key of type ${type}`);
  });
  const heard = callers.map(({ expected, heard: all }) =>
    unless(
      all.length === 1 && all[0] === expected,
      `the application heard that ${all.join(', ') || 'nobody'} called, not ${expected}`,
    ),
  );
  return verdict(
    [...identities, ...heard, unless(shown.length > 0 && callers.length > 0, 'nothing was seen')],
    `${shown.length} proxies show the ${keyType} certificate of their own SPIFFE ID; ${target} hears who really calls, whatever the caller claims: ${callers.map(({ expected }) => expected).join(', ')}`,
  );
}
