// Manifests that a command line names: files, directories, and `-` for standard input.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../model/manifest.ts';
import { formatProblem, hasErrors, type Problem } from '../model/problem.ts';
import { parseManifestFile } from '../sources/files/document.ts';
import { maxFileBytes, maxFiles } from '../sources/files/limits.ts';
import { CliError } from './errors.ts';
import { namingFile, readNamedFile } from './named-file.ts';

const standardInput = '-';
const endings = ['.yaml', '.yml', '.json'];
/** Of `trellis policy test`, which may stand beside what they are about. */
const policyTestEndings = ['.test.yaml', '.test.yml'];
const maxShownProblems = 10;

export interface ManifestFile {
  /** As messages call it. */
  readonly path: string;
  readonly manifests: readonly Manifest[];
}

/**
 * The objects of each file, those of a `List` one by one.
 * @param what they are, as in "the policy file"
 * @param paths each a file, a directory (its files and those of directories in it, but no policy tests), or `-`
 * @throws CliError ERR_USAGE
 */
export async function readManifestFiles(
  what: string,
  paths: readonly string[],
): Promise<readonly ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const path of paths) {
    for (const file of await filesAt(what, path)) files.push(await readManifestFile(what, file));
  }
  return files;
}

/** @throws CliError ERR_USAGE */
export async function readManifestFile(what: string, path: string): Promise<ManifestFile> {
  const name = path === standardInput ? 'standard input' : path;
  const text = await readText(what, path);
  if (text === '') {
    const hint =
      path === standardInput
        ? 'see whether the command that writes into it has failed'
        : 'a file that shall mean nothing holds a comment';
    throw new CliError('ERR_USAGE', `${what} ${name} is empty`, { hint });
  }
  const { manifests, problems } = parseManifestFile(name, text);
  if (hasErrors(problems)) throw refusedFile(name, problems);
  return { path: name, manifests };
}

async function filesAt(what: string, path: string): Promise<readonly string[]> {
  if (path === standardInput) return [path];
  const isDirectory = await namingFile(what, path, async () => (await stat(path)).isDirectory());
  if (!isDirectory) return [path];
  // A file that is left out is one that nobody judges, or a policy that nobody obeys.
  const names = await namingFile(what, path, () => readdir(path, { recursive: true }));
  const wanted = names
    .filter((name) => !isPolicyTest(name) && endings.some((ending) => name.endsWith(ending)))
    .sort();
  if (wanted.length === 0 || wanted.length > maxFiles) {
    const problem =
      wanted.length === 0 ? 'holds no *.yaml, *.yml or *.json' : `holds more than ${maxFiles} files`;
    throw new CliError('ERR_USAGE', `${what} ${path}: the directory ${problem}`);
  }
  return wanted.map((name) => join(path, name));
}

export function isPolicyTest(path: string): boolean {
  return policyTestEndings.some((ending) => path.endsWith(ending));
}

async function readText(what: string, path: string): Promise<string> {
  const bytes = await readNamedFile(what, path, maxFileBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CliError('ERR_USAGE', `${what} ${path} is not UTF-8 text`, { cause: error });
  }
}

/** One of them would get all of it, and the other nothing. @throws CliError ERR_USAGE */
export function refuseTwoStreams(paths: readonly string[]): void {
  if (paths.filter((path) => path === standardInput).length > 1) {
    throw new CliError('ERR_USAGE', 'standard input (-) can be read once only');
  }
}

/** What to throw when a file has errors. */
export function refusedFile(path: string, problems: readonly Problem[]): CliError {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const shown = errors.slice(0, maxShownProblems).map(formatProblem);
  const more = errors.length > shown.length ? [`and ${errors.length - shown.length} more`] : [];
  return new CliError('ERR_USAGE', `${path} cannot be used:\n  ${[...shown, ...more].join('\n  ')}`);
}
