// The chart as users install it: by the real Helm, without anything of the machine's own configuration of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';
import { onEnd } from './cleanup.ts';
import { testTool } from './tools.ts';

export const chartDirectory = join(import.meta.dirname, '../../charts/trellis');

/** Where the tests install it. */
export const releaseNamespace = 'trellis-system';

/** An image by name only: nothing here pulls one. */
export const imageValues = { repository: 'registry.example/trellis', digest: `sha256:${'a'.repeat(64)}` };

export interface HelmResult {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type Helm = (args: readonly string[], values?: object) => Promise<HelmResult>;

/** An object as it was rendered. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: object };
  readonly [field: string]: unknown;
}

const timeoutMs = 50_000;

/** @param kubeconfig of the cluster; Helm can render without one */
export async function startHelm(kubeconfig?: string): Promise<Helm> {
  const path = await testTool('helm');
  const home = await mkdtemp(join(tmpdir(), 'trellis-helm-'));
  onEnd(() => rm(home, { recursive: true, force: true }));
  return async (args, values) => {
    const given = values === undefined ? [] : ['--values', '-'];
    const child = spawn(path, [...args, ...given], {
      timeout: timeoutMs,
      env: { PATH: '/nonexistent', HOME: home, KUBECONFIG: kubeconfig ?? '/nonexistent' },
    });
    child.stdin.on('error', () => {});
    // JSON is YAML.
    child.stdin.end(values === undefined ? '' : JSON.stringify(values));
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { status: status ?? undefined, stdout, stderr };
  };
}

/** The objects that `helm template` prints, with an image unless the values name another. */
export async function render(helm: Helm, values: object = {}): Promise<readonly Rendered[]> {
  const args = ['template', 'trellis', chartDirectory, '--namespace', releaseNamespace];
  const result = await helm(args, { image: imageValues, ...values });
  if (result.status !== 0) throw new Error(result.stderr);
  return parseAllDocuments(result.stdout)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

/** The one object of a kind, or of a kind and name. */
export function one(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name ?? object.metadata.name) === object.metadata.name,
  );
  const [object] = found;
  if (object === undefined || found.length !== 1) throw new Error(`${found.length} of ${kind} ${name ?? ''}`);
  return object;
}

interface Workload {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
    };
  };
}

/** Of the only container of a Deployment. */
export function containerArgs(deployment: Rendered): readonly string[] {
  const { containers } = (deployment as unknown as Workload).spec.template.spec;
  const [container] = containers;
  if (container === undefined || containers.length !== 1) throw new Error('not one container');
  return container.args;
}
