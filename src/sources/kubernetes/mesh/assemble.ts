// From the objects of a cluster to a state of the mesh. Other than a directory of files, a cluster has many authors: what one
// of them gets wrong may not keep the changes of all others from taking effect. So a version that is wrong is set aside
// alone: its last good version stays in force, and revokes what the new one does, too; a policy without one is closed; anything else without one is left out, which
// gives a pod no identity and a Service no endpoints.

import { buildMeshState, type MeshOptions } from '../../../model/build.ts';
import type { MeshState } from '../../../model/mesh.ts';
import type { Problem } from '../../../model/problem.ts';
import { closedMeaning } from './closed-policy.ts';
import { type MeshObject, parseVersion, standIn, type Version } from './mesh-objects.ts';

export interface Assembled {
  /** Undefined when what is wrong cannot be narrowed down to objects: then what was in force stays. */
  readonly state: MeshState | undefined;
  readonly problems: readonly Problem[];
}

/** Objects can be wrong together; each round sets aside all that are, and there is always less left to be wrong. */
const maxRounds = 8;

/** Marks what is in force as good. `previous` shares what is unchanged. */
export function assemble(
  objects: Iterable<MeshObject>,
  options: MeshOptions,
  previous: MeshState | undefined,
): Assembled {
  const choices = [...objects].map((object) => new Choice(object));
  const problems = choices.flatMap((choice) => choice.skipUnreadable());
  for (let round = 0; round < maxRounds; round++) {
    const built = build(choices, options, previous);
    if (built.state !== undefined) {
      for (const choice of choices) choice.commit();
      return { state: built.state, problems: [...problems, ...built.problems] };
    }
    const errors = built.problems.filter(({ severity }) => severity === 'error');
    const found = setAside(choices, errors);
    if (found.length === 0) return { state: undefined, problems: [...problems, ...errors] };
    problems.push(...found);
  }
  return { state: undefined, problems };
}

function build(choices: readonly Choice[], options: MeshOptions, previous: MeshState | undefined) {
  const manifests = choices.flatMap(({ chosen }) => (chosen === undefined ? [] : [chosen.manifest]));
  return buildMeshState(manifests, { ...options, parse: parseVersion }, previous);
}

function setAside(choices: readonly Choice[], errors: readonly Problem[]): readonly Problem[] {
  const byName = new Map(choices.map((choice) => [choice.name, choice]));
  const found: Problem[] = [];
  const done = new Set<Choice>();
  for (const error of errors) {
    const choice = error.object && byName.get(nameOf(error.object));
    if (choice?.chosen === undefined) continue;
    if (!done.has(choice)) choice.next();
    done.add(choice);
    found.push(choice.explain(error));
  }
  return found;
}

function nameOf({ kind, namespace, name }: NonNullable<Problem['object']>): string {
  return `${kind} ${namespace}/${name}`;
}

/** Enough to mend one after the other; a policy can have thousands. */
const maxWrong = 8;

const alsoRevoking = ', and what is revoked here is revoked';

/** Which version of an object is used, and which comes after it should it turn out to be wrong. */
class Choice {
  readonly name: string;
  readonly #object: MeshObject;
  readonly #versions: readonly { readonly version: Version; readonly meaning: string }[];
  #index = 0;
  /** What is wrong with the version that is there now. */
  readonly #wrong: string[] = [];

  constructor(object: MeshObject) {
    this.#object = object;
    const { current, good, kept, closed, kind } = object;
    const reference = current.parsed.resource ?? current.parsed.object;
    this.name = reference === undefined ? `${kind} ?` : nameOf({ ...reference, kind });
    this.#versions = [
      { version: current, meaning: '' },
      ...(kept === undefined || good === undefined || good === current
        ? []
        : [
            {
              version: kept,
              meaning: `its last good version stays in force${kept === good ? '' : alsoRevoking}`,
            },
          ]),
      ...(closed === undefined ? [] : [{ version: closed, meaning: closedMeaning(closed.parsed.resource) }]),
    ];
  }

  get chosen(): Version | undefined {
    const version = this.#versions[this.#index]?.version;
    if (version === undefined || version !== this.#object.closed) return version;
    return standIn(version, this.#wrong);
  }

  next(): void {
    this.#index++;
  }

  /** Its problems, when the version that is there now cannot even be parsed. */
  skipUnreadable(): readonly Problem[] {
    const { parsed } = this.#object.current;
    if (parsed.resource !== undefined) return [];
    this.next();
    return parsed.issues
      .filter(({ severity }) => severity === 'error')
      .map(({ severity, code, message }) =>
        this.explain({ severity, code, message, object: parsed.object, origin: undefined }),
      );
  }

  explain(problem: Problem): Problem {
    const meaning = this.#versions[this.#index]?.meaning ?? 'it is left out';
    if (this.#wrong.length < maxWrong) this.#wrong.push(problem.message);
    return { ...problem, message: `${problem.message}; ${meaning}` };
  }

  commit(): void {
    if (this.chosen === this.#object.current) this.#object.good = this.#object.current;
  }
}
