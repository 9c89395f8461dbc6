// An API server as the desired state of the mesh, kept current.
//
// What is gone is gone: a deletion here is the API server's own word about one object, and a list is everything there was at
// one moment. A directory, where a file that is being written looks like one whose end was deleted, has to wait before it
// believes that; there is no such thing here.

import type { MeshOptions } from '../../model/build.ts';
import type { MeshKind } from '../../model/kinds.ts';
import type { MeshState } from '../../model/mesh.ts';
import { formatProblem, hasErrors, type Problem } from '../../model/problem.ts';
import type { ManifestSource } from '../files/watch.ts';
import { type Clock, systemClock } from './clock.ts';
import type { KubeClient } from './cluster/client.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { type Assembled, assemble } from './mesh/assemble.ts';
import { type MeshObject, MeshObjects } from './mesh/mesh-objects.ts';
import { type PolicyVerdict, policyVerdicts } from './mesh/policy-verdicts.ts';
import { Reflector } from './reflect/reflector.ts';
import type { ReflectorReporter, ResourceHealth } from './reflect/reflector-health.ts';
import { resourceTypes } from './reflect/resource-type.ts';

/** What the source has to say; each call is worth one log line. */
export interface KubernetesReporter extends ReflectorReporter {
  /** When it appears. formatProblem makes the line. */
  readonly problem: (problem: Problem) => void;
  /** The last error of an object is gone; what is written is in force again. */
  readonly mended: () => void;
}

export interface WatchKubernetesOptions {
  readonly client: KubeClient;
  readonly mesh: MeshOptions;
  readonly report: KubernetesReporter;
  /** Ends the watch; the client stays open. */
  readonly signal: AbortSignal;
  /** What to read, so that no right is needed to anything else; all that a mesh is made of unless given. */
  readonly kinds?: readonly [MeshKind, ...MeshKind[]];
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

export interface KubernetesHealth {
  /** Every kind has been listed once, and a state was made of it. */
  readonly ready: boolean;
  readonly resources: readonly ResourceHealth[];
}

export interface KubernetesSource extends ManifestSource {
  /** For /readyz and metrics: how old what is in force may be, and why. */
  health(): KubernetesHealth;
  /** What became of each policy; undefined while something has changed that was not looked at yet. */
  policyVerdicts(): readonly PolicyVerdict[] | undefined;
}

/** Resolves with the first state, or when a kind cannot be read at first, or when `signal` is aborted: see `health()`. */
export async function watchKubernetes(options: WatchKubernetesOptions): Promise<KubernetesSource> {
  const source = new Source(options);
  await source.start();
  return source;
}

class Source implements KubernetesSource {
  readonly #options: Required<Omit<WatchKubernetesOptions, 'limits' | 'kinds'>> & { readonly limits: Limits };
  readonly #readsAll: boolean;
  readonly #objects: MeshObjects;
  readonly #reflectors: readonly Reflector<MeshObject>[];
  readonly #listeners = new Set<(state: MeshState) => void>();
  readonly #first = Promise.withResolvers<void>();
  #state: MeshState | undefined;
  #problems: readonly Problem[] = [];
  #announced: ReadonlySet<string> = new Set();
  #scheduled = false;
  /** Whether the state and the problems are those of the objects. */
  #isCurrent = false;
  #buildMs = 0;

  constructor(options: WatchKubernetesOptions) {
    const limits = { ...defaultLimits, ...options.limits };
    this.#options = { clock: systemClock, random: Math.random, ...options, limits };
    this.#objects = new MeshObjects(options.mesh.parse, () => this.#schedule());
    const report: ReflectorReporter = {
      failed: (type, error) => {
        options.report.failed(type, error);
        this.#first.resolve();
      },
      recovered: (type) => options.report.recovered(type),
    };
    const { kinds } = options;
    this.#readsAll = kinds === undefined;
    const types = resourceTypes.filter(({ kind }) => kinds === undefined || kinds.includes(kind));
    this.#reflectors = types.map(
      (type) =>
        new Reflector({ ...this.#options, limits, type, report, sink: this.#objects.sinkOf(type.kind) }),
    );
  }

  start(): Promise<void> {
    const { signal } = this.#options;
    signal.addEventListener('abort', () => this.#first.resolve(), { once: true });
    if (signal.aborted) this.#first.resolve();
    for (const reflector of this.#reflectors) void reflector.run();
    return this.#first.promise;
  }

  current(): MeshState | undefined {
    return this.#state;
  }

  problems(): readonly Problem[] {
    return this.#problems;
  }

  onChange(listener: (state: MeshState) => void): () => void {
    // Wrapped, so that the same function may be given twice.
    const own = (state: MeshState) => listener(state);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  health(): KubernetesHealth {
    const resources = this.#reflectors.map(({ health }) => health.current());
    return { ready: this.#state !== undefined, resources };
  }

  policyVerdicts(): readonly PolicyVerdict[] | undefined {
    if (!this.#isCurrent) return undefined;
    return policyVerdicts(this.#objects.of('QuantumSecurityPolicy'), this.#problems);
  }

  /** The first change of a burst starts the delay; building takes at most half of a core. */
  #schedule(): void {
    this.#isCurrent = false;
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { clock, limits, signal } = this.#options;
    void clock.sleep(Math.max(limits.debounceMs, this.#buildMs), signal).then(() => {
      this.#scheduled = false;
      if (!signal.aborted) this.#build();
    });
  }

  #build(): void {
    // Without all policies the mesh would be more open, without all endpoints empty.
    if (this.#reflectors.some(({ health }) => health.current().syncedSince === undefined)) return;
    const started = this.#options.clock.monotonic();
    try {
      this.#takeOver(assemble(this.#objects.all(), this.#options.mesh, this.#state));
    } catch (error) {
      // A defect of ours, or of a listener. It ends neither the process nor the watch: what is in force stays, and is said.
      const message = `the state of the cluster cannot be taken over: ${error instanceof Error ? error.message : String(error)}`;
      const problem = { severity: 'error', code: 'InvalidObject', message } as const;
      this.#announce([{ ...problem, object: undefined, origin: undefined }]);
    }
    this.#buildMs = this.#options.clock.monotonic() - started;
    this.#first.resolve();
  }

  #takeOver({ state, problems }: Assembled): void {
    this.#announce(this.#readsAll ? problems : problems.filter(isAboutItself));
    this.#isCurrent = state !== undefined;
    if (state === undefined || state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  #announce(problems: readonly Problem[]): void {
    const { report } = this.#options;
    const texts = new Map(problems.map((problem) => [formatProblem(problem), problem]));
    const news = [...texts].filter(([text]) => !this.#announced.has(text)).map(([, problem]) => problem);
    // Errors first: there are as many warnings as somebody likes to make objects that refer to nothing.
    const sorted = [...news.filter(isError), ...news.filter((problem) => !isError(problem))];
    for (const problem of sorted.slice(0, maxAnnounced)) report.problem(problem);
    if (sorted.length > maxAnnounced) report.problem(unsaid(sorted.length - maxAnnounced));
    if (hasErrors(this.#problems) && !hasErrors(problems)) report.mended();
    this.#announced = new Set(texts.keys());
    this.#problems = problems;
  }
}

/** More lines at once help nobody; `problems()` has them all. */
const maxAnnounced = 100;

/** Where only some kinds are read, whether what an object refers to exists is not known. */
function isAboutItself({ severity, code }: Problem): boolean {
  return severity === 'error' || !aboutOthers.has(code);
}

const aboutOthers: ReadonlySet<Problem['code']> = new Set([
  ...(['SelectsNothing', 'UnknownPod', 'UnknownService', 'UnknownServiceAccount', 'UnknownPort'] as const),
]);

function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}

function unsaid(count: number): Problem {
  const message = `and ${count} more problems at once; mend those that are listed, and look again`;
  return { severity: 'warning', code: 'LimitExceeded', message, object: undefined, origin: undefined };
}
