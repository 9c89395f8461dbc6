// A real directory, and a watch on it whose reports are recorded.

import { spawnSync } from 'node:child_process';
import { mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { MeshState } from '../../../../src/model/mesh.ts';
import { formatProblem } from '../../../../src/model/problem.ts';
import type { Timing } from '../../../../src/sources/files/limits.ts';
import { type ManifestSource, watchManifests } from '../../../../src/sources/files/watch.ts';
import { meshOptions } from '../../model/support.ts';

export async function temporaryDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'trellis-files-')));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface Watched extends ManifestSource {
  /** `problem …`, `ignored …`, `recovered`, in order. */
  readonly reports: string[];
  /** Every state that was announced. */
  readonly states: MeshState[];
  stop(): void;
  /** Names of the workloads in force. */
  pods(): string[];
}

export async function watched(directory: string, timing: Partial<Timing> = {}): Promise<Watched> {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const reports: string[] = [];
  const source = await watchManifests({
    directory,
    mesh: meshOptions,
    signal: controller.signal,
    timing,
    report: {
      problem: (problem) => reports.push(`problem ${formatProblem(problem).replaceAll(`${directory}/`, '')}`),
      ignoredKind: ({ apiVersion, kind }) => reports.push(`ignored ${apiVersion} ${kind}`),
      recovered: () => reports.push('recovered'),
    },
  });
  const states: MeshState[] = [];
  source.onChange((state) => states.push(state));
  return {
    current: () => source.current(),
    onChange: (listener) => source.onChange(listener),
    problems: () => source.problems(),
    reports,
    states,
    stop: () => controller.abort(),
    pods: () => [...(source.current()?.workloads.values() ?? [])].map(({ name }) => name),
  };
}

/** Resolves when it holds; the test runner's own time limit ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const podYaml = (name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: trading}\nspec: {containers: []}\n`;

/** The way a careful writer replaces a file. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

/** A named pipe: whoever opens it for reading waits for a writer. */
export function makePipe(path: string): void {
  const { status } = spawnSync('/usr/bin/env', ['mkfifo', path]);
  if (status !== 0) throw new Error('mkfifo is needed for this test');
}
