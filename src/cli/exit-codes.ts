// What the exit code of a `trellis` process means. Scripts rely on these numbers: the set is closed, and a number
// never changes its meaning. From 64 up they are the ones BSD's sysexits.h gives to the same situations.

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  registry: 3,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  noPermission: 77,
  configuration: 78,
} as const;

type ExitCodeName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitCodeName];

const meanings: Readonly<Record<ExitCodeName, string>> = {
  ok: 'it worked',
  failure: 'the answer is no: a check failed, a policy denied, an image is not verified',
  usage: 'the command line is wrong, or a file it names',
  registry: 'a registry, or another service that signing needs, cannot be reached or refused',
  unavailable: 'something it needs is missing or out of reach (a program, a port, a server)',
  internal: 'a defect in trellis: please report it with the output of --verbose',
  cannotCreate: 'a file or directory cannot be written (disk full, read-only)',
  noPermission: 'not allowed to read, write or listen there',
  configuration: 'a configuration, manifest or key file is wrong',
};

/**
 * What a command about images and signatures ends with: 0, 1, 2 or 3, so that a job needs to tell no more than "no" from "wrong"
 * from "try again". A defect of ours stays one: it must not pass for an answer.
 */
export function signingExitCode(exitCode: ExitCode): ExitCode {
  switch (exitCode) {
    case exitCodes.unavailable:
      return exitCodes.registry;
    case exitCodes.cannotCreate:
    case exitCodes.noPermission:
    case exitCodes.configuration:
      return exitCodes.usage;
    default:
      return exitCode;
  }
}

const forAll: readonly ExitCodeName[] = ['ok', 'failure', 'usage', 'registry', 'internal'];

/** The section of `trellis --help` that lists every code with its meaning, one a line. */
export function exitCodeHelp(): string {
  const names = Object.keys(exitCodes) as ExitCodeName[];
  const rows = (wanted: readonly ExitCodeName[]) =>
    wanted.map((name) => `  ${String(exitCodes[name]).padStart(3)}  ${meanings[name]}`);
  return [
    '',
    'Exit codes:',
    ...rows(forAll),
    '  128+n  ended by signal n',
    'Commands of the mesh also end with:',
    ...rows(names.filter((name) => !forAll.includes(name))),
  ].join('\n');
}
