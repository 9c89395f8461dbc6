// Runs test/bouncycastle/CrossCheck.java. The jars come from Maven Central once and stay in Trellis' cache directory.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, cached } from '../../../../src/cli/tools/cache.ts';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../../../bouncycastle');
const pom = join(project, 'pom.xml');

/** From an empty Maven repository the download is some twenty plugin jars and Bouncy Castle's three. */
const resolveTimeoutMs = 240_000;
const javaTimeoutMs = 60_000;
/** What a first run may take altogether. */
export const bouncyCastleTimeoutMs = resolveTimeoutMs + 2 * javaTimeoutMs;

/** The programs that are missing here; empty when the cross-check can run. */
export async function missingPrograms(): Promise<string[]> {
  const found = await Promise.all(
    ['java', 'javac', 'mvn'].map((program) =>
      run(program, ['-version'], { timeout: javaTimeoutMs }).then(
        () => [],
        () => [program],
      ),
    ),
  );
  return found.flat();
}

/** Runs the Java program on a directory; returns its output lines. */
export async function crossCheck(dir: string): Promise<string[]> {
  const jars = await cached({
    cache: cacheDirectory(process.env),
    name: `bouncycastle-${await pinnedVersion()}`,
    check: async (directory) => ((await containsJars(directory)) ? directory : undefined),
    install: resolveJars,
  });
  const program = join(project, 'CrossCheck.java');
  const { stdout } = await run('java', ['-cp', join(jars, '*'), program, dir], { timeout: javaTimeoutMs });
  return stdout.trim().split('\n').sort();
}

async function pinnedVersion(): Promise<string> {
  const dependency = /<artifactId>bcpkix-jdk18on<\/artifactId>\s*<version>([\w.]+)<\/version>/;
  const version = dependency.exec(await readFile(pom, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${pom} names no version of Bouncy Castle`);
  return version;
}

async function containsJars(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return ['bcpkix', 'bcprov', 'bcutil'].every((part) => names.some((name) => name.startsWith(part)));
}

async function resolveJars(directory: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${directory}`];
  await run('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: resolveTimeoutMs });
}
