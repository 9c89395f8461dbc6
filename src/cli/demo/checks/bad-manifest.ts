// A broken policy file changes nothing: neither is what was allowed denied, nor, worse, what was denied allowed. The
// control plane says where the mistake is, and goes on from there once it is repaired.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { policyFile, type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { waitFor } from '../wait.ts';
import { type Call, callService } from '../workload-client.ts';
import { allowAndSee, type SeenEdit } from './probe-edit.ts';

const ok = 200;
const forbidden = 403;
const timeoutMs = 5000;
/** After the mistake was reported, long enough for it to have an effect. */
const settleMs = 500;
const target = 'execution';
const allowed: Call = { from: 'gateway', to: target, method: 'POST', path: '/orders/1' };
/** Would go through if the broken file were taken for an absent one. */
const denied: Call = { from: 'rl-training', to: target, method: 'POST', path: '/orders/1' };

export interface BadManifestObservation {
  readonly file: string;
  readonly line: number;
  /** Error lines of the control plane's log since the mistake. */
  readonly errors: readonly string[];
  readonly whileBroken: { readonly allowed: number; readonly denied: number };
  /** A caller's answers before and after an edit of the repaired file. */
  readonly edit: SeenEdit;
}

export const badManifest: Check = {
  id: 'bad-manifest',
  run: async (mesh) => judge(await observe(mesh)),
};

/** A tab where YAML wants spaces. @returns the text, and the line of the mistake */
export function breakManifest(text: string): { readonly text: string; readonly line: number } {
  const lines = text.split('\n');
  const line = lines.indexOf('spec:') + 2;
  return { text: lines.toSpliced(line - 1, 0, '\tbroken: true').join('\n'), line };
}

async function observe(mesh: RunningMesh): Promise<BadManifestObservation> {
  const { controlPlane, editor, signal } = mesh;
  const file = policyFile(target);
  try {
    const { text, line } = breakManifest(await editor.read(file));
    const logged = (await controlPlane.log()).length;
    await editor.write(file, text);
    const errors = await waitFor({ what: 'the mistake to be reported', timeoutMs, signal }, async () => {
      const lines = (await controlPlane.log()).slice(logged).split('\n');
      const found = lines.filter((each) => each.includes(file));
      return found.length > 0 ? found : undefined;
    }).catch(() => []);
    await sleep(settleMs, undefined, { signal });
    const whileBroken = { allowed: await status(mesh, allowed), denied: await status(mesh, denied) };
    await editor.restore(file);
    return { file, line, errors, whileBroken, edit: await allowAndSee(mesh, target, allowed.path) };
  } finally {
    await editor.restore(file).catch(() => {});
  }
}

async function status(mesh: RunningMesh, call: Call): Promise<number> {
  return (await callService(serviceNamed(mesh, call.from), serviceNamed(mesh, call.to), call)).status;
}

export function judge({ file, line, errors, whileBroken, edit }: BadManifestObservation): Verdict {
  const place = `${file}:${line}:`;
  return verdict(
    [
      unless(
        errors.some((error) => error.includes(place)),
        errors.length === 0 ? 'the mistake was not reported' : `reported without ${place}: ${errors[0]}`,
      ),
      unless(
        whileBroken.allowed === ok,
        `while it was broken, an allowed call got HTTP ${whileBroken.allowed}`,
      ),
      unless(
        whileBroken.denied === forbidden,
        `while it was broken, a denied call got HTTP ${whileBroken.denied}`,
      ),
      unless(
        edit.before === forbidden && edit.after === ok,
        `an edit after the repair changed HTTP ${edit.before} into ${edit.after}`,
      ),
    ],
    `${file}:${line} reported; nothing changed while it was broken, and an edit after the repair takes effect`,
  );
}
