// From snapshots of manifests to the state in force, and what there is to say about it.

import { buildMeshState, type MeshOptions } from '../../model/build.ts';
import type { IgnoredKind } from '../../model/collect.ts';
import type { MeshState } from '../../model/mesh.ts';
import { formatProblem, hasErrors, type Problem } from '../../model/problem.ts';
import { directoryProblem } from './file-problem.ts';
import type { Snapshot } from './load.ts';
import { type Desired, findLoss, namesOfObjects } from './loss.ts';

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
  #inForce: Desired | undefined;
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
    return this.#inForce?.state;
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

  /**
   * Puts a snapshot in force if nothing in it is an error. `directory` is how messages call the place. Unless it has been
   * `quiet` for long enough, what may be a torn write does nothing at all: returns what it takes away from what is in force.
   */
  accept(snapshot: Snapshot, directory: string, quiet: boolean): string | undefined {
    const before = this.current();
    const built = buildMeshState(snapshot.manifests, this.#mesh, before);
    const problems = contentProblems(snapshot, built.problems, directory);
    const next = hasErrors(problems) ? undefined : built.state;
    const objects = namesOfObjects(snapshot.manifests, this.#mesh.parse);
    const desired = next === undefined ? undefined : { state: next, objects };
    const loss = quiet || next === before ? undefined : this.#lossOf(snapshot, desired);
    if (loss !== undefined) return loss;

    for (const ignored of built.ignored) this.#sayIgnored(ignored);
    this.#contentProblems = problems;
    this.#directoryProblem = undefined;
    this.#inForce = desired ?? this.#inForce;
    this.#announce(snapshot.changed);
    if (next === undefined || next === before) return undefined;
    for (const listener of this.#listeners) listener(next);
    return undefined;
  }

  /** The directory cannot be used at the moment, or can again (undefined); what is in force stays. */
  setDirectoryProblem(problem: Problem | undefined): void {
    this.#directoryProblem = problem;
    this.#announce(new Set());
  }

  #lossOf(snapshot: Snapshot, desired: Desired | undefined): string | undefined {
    if (desired === undefined || this.#inForce === undefined) return undefined;
    const cutShort = [...snapshot.changed].find((file) => snapshot.cutShort.has(file));
    if (cutShort !== undefined) return `${cutShort} ends in the middle of a line`;
    return findLoss(this.#inForce, desired);
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
