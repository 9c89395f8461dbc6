// A workload of the mesh, with its own genuine certificate, answers at the address of another service. The caller's
// proxy must notice and refuse, whatever the policies allow.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { readStats } from '../envoy-admin.ts';
import { type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { waitFor } from '../wait.ts';
import { type Call, callService } from '../workload-client.ts';
import { pointEndpoint } from './tap-call.ts';

const ok = 200;
const timeoutMs = 5000;
const call: Call = { from: 'federation-ai', to: 'rl-training', method: 'POST', path: '/gradients' };
/** The service whose proxy answers instead. */
const impostor = 'monitoring';

export interface WrongServerObservation {
  readonly before: number;
  /** The answer once the impostor was in place. */
  readonly refused: number;
  /** How often the caller's proxy found a certificate without the identity it wants. */
  readonly mismatches: { readonly before: number; readonly after: number };
  readonly after: number;
}

export const wrongServerRefused: Check = {
  id: 'wrong-server-refused',
  run: async (mesh) => judge(await observe(mesh)),
};

async function observe(mesh: RunningMesh): Promise<WrongServerObservation> {
  const { signal } = mesh;
  const wrong = serviceNamed(mesh, impostor);
  const file = `${call.to}.yaml`;
  const before = await status(mesh);
  const mismatchesBefore = await mismatches(mesh);
  let refused: number;
  let mismatchesAfter: number;
  try {
    await pointEndpoint(mesh, file, wrong.address, wrong.port);
    refused = await waitFor({ what: 'the call to be refused', timeoutMs, signal }, async () => {
      const seen = await status(mesh);
      return seen === ok ? undefined : seen;
    });
    mismatchesAfter = await waitFor({ what: 'the refusal to be counted', timeoutMs, signal }, async () => {
      await status(mesh);
      const counted = await mismatches(mesh);
      return counted > mismatchesBefore ? counted : undefined;
    }).catch(() => mismatchesBefore);
  } finally {
    await mesh.editor.restore(file);
  }
  const after = await waitFor({ what: 'the call to work again', timeoutMs, signal }, async () => {
    const seen = await status(mesh);
    return seen === ok ? seen : undefined;
  });
  return {
    before,
    refused,
    mismatches: { before: mismatchesBefore, after: mismatchesAfter },
    after,
  };
}

async function status(mesh: RunningMesh): Promise<number> {
  return (await callService(serviceNamed(mesh, call.from), serviceNamed(mesh, call.to), call)).status;
}

async function mismatches(mesh: RunningMesh): Promise<number> {
  const { name, namespace } = serviceNamed(mesh, call.to);
  const stats = await readStats(
    serviceNamed(mesh, call.from),
    `^cluster\\.outbound.*${name}\\.${namespace}.*fail_verify_san$`,
  );
  return [...stats.values()].reduce((sum, value) => sum + value, 0);
}

export function judge(seen: WrongServerObservation): Verdict {
  const { before, refused, mismatches: counted, after } = seen;
  return verdict(
    [
      unless(before === ok, `before: HTTP ${before}`),
      unless(refused >= 500, `with ${impostor} in place of ${call.to}: HTTP ${refused}`),
      unless(
        counted.after > counted.before,
        'the caller did not find a wrong identity (ssl.fail_verify_san)',
      ),
      unless(after === ok, `afterwards: HTTP ${after}`),
    ],
    `${impostor} in place of ${call.to}: refused by ${call.from} (HTTP ${refused}, fail_verify_san +${counted.after - counted.before}), works again after the repair`,
  );
}
