// An edit of a policy file reaches requests on a connection that was open before, at once, in both directions, and does
// not close it.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { policyFile, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { TlsClient } from '../tls-client.ts';
import { waitFor } from '../wait.ts';
import { allowProbe } from './probe-edit.ts';

const ok = 200;
const forbidden = 403;
/** What the mesh promises. */
const promisedMs = 1000;
/** When to stop waiting. */
const timeoutMs = 5000;
const target = 'ai-engine';
const request = ['POST', '/predict'] as const;

export interface PolicyEditObservation {
  readonly first: number;
  /** Time from the file's change to the first changed answer. */
  readonly edits: readonly { readonly to: 'allow' | 'deny'; readonly ms: number }[];
  /** Why the connection ended; undefined when it is still open. */
  readonly connectionEnd: string | undefined;
}

export const policyEdit: Check = {
  id: 'policy-edit',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<PolicyEditObservation> {
  const file = policyFile(target);
  const client = await TlsClient.open(await mesh.probe.client(serviceNamed(mesh, target)));
  try {
    const first = await client.request(...request);
    const edits: { to: 'allow' | 'deny'; ms: number }[] = [];
    for (const to of ['allow', 'deny', 'allow', 'deny'] as const) {
      const at = to === 'allow' ? await allowProbe(mesh, file) : await mesh.editor.restore(file);
      edits.push({ to, ms: (await changed(mesh, client, to === 'allow' ? ok : forbidden)) - at });
    }
    return { first, edits, connectionEnd: client.end };
  } finally {
    client.close();
    await mesh.editor.restore(file).catch(() => {});
  }
}

async function changed(mesh: RunningMesh, client: TlsClient, wanted: number): Promise<number> {
  const wait = { what: `HTTP ${wanted} after the edit`, timeoutMs, everyMs: 2, signal: mesh.signal };
  return await waitFor(wait, async () => {
    if (client.end !== undefined) return performance.now();
    return (await client.request(...request)) === wanted ? performance.now() : undefined;
  });
}

export function judge({ first, edits, connectionEnd }: PolicyEditObservation): Verdict {
  return verdict(
    [
      unless(first === forbidden, `before the first edit: HTTP ${first}`),
      unless(connectionEnd === undefined, `the connection ended: ${connectionEnd}`),
      unless(new Set(edits.map(({ to }) => to)).size === 2, 'both directions must be seen'),
      ...edits.map(({ to, ms }) => unless(ms < promisedMs, `${to} took ${Math.round(ms)} ms`)),
    ],
    `on one open HTTP/2 connection: ${edits.map(({ to, ms }) => `${to} after ${Math.round(ms)} ms`).join(', ')}`,
  );
}
