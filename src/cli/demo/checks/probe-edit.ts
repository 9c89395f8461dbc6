// The edit with which checks show that edits take effect: the probe becomes one of a service's allowed callers.

import { policyFile, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { TlsClient } from '../tls-client.ts';
import { waitFor } from '../wait.ts';

const timeoutMs = 5000;

/** A caller's answers before and after an edit that allows it. */
export interface SeenEdit {
  readonly before: number;
  readonly after: number;
}

/** Adds the probe to the callers of the first rule. Resolves to the moment of the change. */
export function allowProbe(mesh: RunningMesh, file: string): Promise<number> {
  return mesh.editor.change(file, 'QuantumSecurityPolicy', (policy) => {
    policy.addIn(['spec', 'authorization', 0, 'from', 0, 'principals'], mesh.probe.spiffeId);
  });
}

/** Allows the probe, waits until it gets another answer, and takes the edit back. */
export function allowAndSee(mesh: RunningMesh, service: string, path: string): Promise<SeenEdit> {
  return whileAllowed(mesh, service, path, async (_client, seen) => seen);
}

/** Runs `use` while the probe is allowed to POST to `path`; afterwards it is denied again, in effect and not only in the file. */
export async function whileAllowed<T>(
  mesh: RunningMesh,
  service: string,
  path: string,
  use: (client: TlsClient, seen: SeenEdit) => Promise<T>,
): Promise<T> {
  const file = policyFile(service);
  const client = await TlsClient.open(await mesh.probe.client(serviceNamed(mesh, service)));
  const answer = (is: (status: number) => boolean): Promise<number> =>
    waitFor({ what: `${service} to answer otherwise`, timeoutMs, signal: mesh.signal }, async () => {
      const status = await client.request('POST', path);
      return is(status) ? status : undefined;
    });
  try {
    const before = await client.request('POST', path);
    try {
      await allowProbe(mesh, file);
      const after = await answer((status) => status !== before).catch(() => before);
      return await use(client, { before, after });
    } finally {
      await mesh.editor.restore(file);
      await answer((status) => status === before).catch(() => {});
    }
  } finally {
    client.close();
  }
}
