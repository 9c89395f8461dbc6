// What is wrong with the desired state, said so that a person can go to the place and mend it.

/** Where a manifest's text stands; lines and columns count from 1. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The way to a field from the object's root: `['spec', 'ports', 0, 'name']`. */
export type FieldPath = readonly (string | number)[];

export interface ObjectReference {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Stable names; CamelCase because they also serve as the `reason` of Kubernetes status conditions. */
export type ProblemCode =
  // one object by itself
  | 'InvalidObject'
  | 'InvalidName'
  | 'UnsupportedKind'
  | 'UnknownField'
  | 'MissingField'
  | 'InvalidField'
  | 'RuleViolated'
  | 'RootNamespaceOnly'
  | 'WritableVolume'
  // objects among each other
  | 'DuplicateName'
  | 'DuplicateUid'
  | 'DuplicateAddress'
  | 'SelectsNothing'
  | 'UnknownPod'
  | 'UnknownService'
  | 'UnknownServiceAccount'
  | 'UnknownPort'
  | 'ProtocolConflict'
  // where they are kept
  | 'InvalidSyntax'
  | 'EmptyFile'
  | 'UnreadableFile'
  | 'UnstableFile'
  | 'UnreadableDirectory'
  | 'EmptyDirectory'
  | 'LimitExceeded';

export interface Problem {
  /** With an error no state is built, and what was good before stays in force; a warning changes nothing. */
  readonly severity: 'error' | 'warning';
  readonly code: ProblemCode;
  /** What is wrong and what to do about it. */
  readonly message: string;
  readonly object: ObjectReference | undefined;
  readonly origin: Origin | undefined;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** `policies/a.yaml:12:5: error: QuantumSecurityPolicy trading/a: spec.enforcment: unknown field; …` */
export function formatProblem(problem: Problem): string {
  const { origin, object } = problem;
  const place = origin === undefined ? '' : `${origin.file}:${origin.line}:${origin.column}: `;
  const subject = object === undefined ? '' : `${object.kind} ${object.namespace}/${object.name}: `;
  return `${place}${problem.severity}: ${subject}${problem.message}`;
}

/** `spec.authorization[0].to[1].ports`, `metadata.labels["app.kubernetes.io/name"]` */
export function formatPath(path: FieldPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[A-Za-z_][\w-]{0,79}$/.test(step)) text += `[${quote(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** Long enough to recognize a value, short enough for a log line. */
const maxQuotedLength = 80;

/** A value as it may stand in a message: JSON, so that control characters cannot reach a terminal, and shortened. */
export function quote(value: unknown): string {
  // A long string is cut before it is escaped: messages are built for every bad value of a file.
  const short =
    typeof value === 'string' && value.length > maxQuotedLength ? value.slice(0, maxQuotedLength) : value;
  const text = escapeInvisible(JSON.stringify(short) ?? String(short));
  const cut = text.length > maxQuotedLength + 2 || short !== value;
  return cut ? `${text.slice(0, maxQuotedLength)}…` : text;
}

/** The first line of somebody else's message, which may quote what it complains about. */
export function firstLine(message: string): string {
  const line = message.slice(0, maxForeignLength + 1).split('\n', 1)[0] ?? '';
  return escapeInvisible(line.length > maxForeignLength ? `${line.slice(0, maxForeignLength)}…` : line);
}

/** Room for a sentence and the value in it. */
const maxForeignLength = 200;

/**
 * Text that may quote what somebody wrote, fit for a log or a terminal: on one line, without what could falsify that line, such
 * as control characters and bidirectional overrides.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    // Control and format characters, and the two that end lines beside them.
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) =>
      character
        .split('')
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
  );
}

/** Files in order, then top to bottom: the same objects give the same list, whatever order they came in. */
export function compareProblems(a: Problem, b: Problem): number {
  return (
    compareText(a.origin?.file ?? '', b.origin?.file ?? '') ||
    (a.origin?.line ?? 0) - (b.origin?.line ?? 0) ||
    (a.origin?.column ?? 0) - (b.origin?.column ?? 0) ||
    compareText(formatProblem(a), formatProblem(b))
  );
}

/** By code unit: the same order on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
