// From snapshots of manifests to the state in force, and what there is to say about it.

import { buildMeshState, type MeshOptions } from '../../model/build.ts';
import type { IgnoredKind } from '../../model/collect.ts';
import type { MeshState } from '../../model/mesh.ts';
import { formatProblem, hasErrors, type Problem } from '../../model/problem.ts';
import { directoryProblem } from './file-problem.ts';
import type { Snapshot } from './load.ts';

/** What the source has to say; each call is worth one log line. */
export interface ManifestReporter {
  /** When it appears, and again when its file changes and it is still there. formatProblem makes the line. */
  problem(problem: Problem): void;
  /** Once per kind. */
  ignoredKind(ignored: IgnoredKind): void;
  /** The last error is gone; what is written is in force again. */
  recovered(): void;
}

export class ManifestState {
  readonly #mesh: MeshOptions;
  readonly #report: ManifestReporter;
  readonly #listeners = new Set<(state: MeshState) => void>();
  readonly #ignoredKinds = new Set<string>();
  #state: MeshState | undefined;
  /** Of the manifests, as last read. */
  #contentProblems: readonly Problem[] = [];
  /** Of the directory as a whole, as last looked at. */
  #directoryProblem: Problem | undefined;
  #announced: ReadonlySet<string> = new Set();
  #failing = false;

  constructor(mesh: MeshOptions, report: ManifestReporter) {
    this.#mesh = mesh;
    this.#report = report;
  }

  current(): MeshState | undefined {
    return this.#state;
  }

  problems(): readonly Problem[] {
    return this.#directoryProblem === undefined
      ? this.#contentProblems
      : [this.#directoryProblem, ...this.#contentProblems];
  }

  onChange(listener: (state: MeshState) => void): () => void {
    // Wrapped, so that the same function may be given twice.
    const own = (state: MeshState) => listener(state);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Puts a snapshot in force if nothing in it is an error. `directory` is how messages call the place. */
  accept(snapshot: Snapshot, directory: string): void {
    const built = buildMeshState(snapshot.manifests, this.#mesh, this.#state);
    for (const ignored of built.ignored) this.#sayIgnored(ignored);
    this.#contentProblems = contentProblems(snapshot, built.problems, directory);
    this.#directoryProblem = undefined;
    const before = this.#state;
    if (!hasErrors(this.#contentProblems)) this.#state = built.state;
    this.#announce(snapshot.changed);
    const state = this.#state;
    if (state === undefined || state === before) return;
    for (const listener of this.#listeners) listener(state);
  }

  /** The directory cannot be used at the moment, or can again (undefined); what is in force stays. */
  setDirectoryProblem(problem: Problem | undefined): void {
    this.#directoryProblem = problem;
    this.#announce(new Set());
  }

  #sayIgnored(ignored: IgnoredKind): void {
    const name = `${ignored.apiVersion} ${ignored.kind}`;
    if (this.#ignoredKinds.has(name) || this.#ignoredKinds.size >= maxIgnoredKinds) return;
    this.#ignoredKinds.add(name);
    this.#report.ignoredKind(ignored);
  }

  #announce(changed: ReadonlySet<string>): void {
    const problems = this.problems();
    const texts = new Set<string>();
    for (const problem of problems) {
      const text = formatProblem(problem);
      const isNews =
        !this.#announced.has(text) || (problem.origin !== undefined && changed.has(problem.origin.file));
      if (isNews && !texts.has(text)) this.#report.problem(problem);
      texts.add(text);
    }
    this.#announced = texts;
    const failing = hasErrors(problems);
    if (this.#failing && !failing) this.#report.recovered();
    this.#failing = failing;
  }
}

/** Kinds are named by whoever writes the files: bounds what is remembered of them. */
const maxIgnoredKinds = 1_000;

function contentProblems(
  snapshot: Snapshot,
  built: readonly Problem[],
  directory: string,
): readonly Problem[] {
  if (snapshot.fileCount === 0) {
    const message = `there is no manifest (*.yaml, *.yml, *.json) in ${directory}; the mesh is empty`;
    return [directoryProblem('warning', 'EmptyDirectory', message)];
  }
  if (snapshot.problems.length === 0) return built;
  // While a file cannot be read, that something is missing elsewhere is probably no more than its consequence.
  return [...snapshot.problems, ...built.filter((problem) => problem.severity === 'error')];
}
