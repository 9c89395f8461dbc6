// Runs test/bouncycastle/CrossCheck.java. The jars come from Maven Central once and stay in Trellis' cache directory.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const project = join(dirname(fileURLToPath(import.meta.url)), '../../../bouncycastle');

/** From an empty Maven repository the download is some twenty plugin jars and Bouncy Castle's three. */
const resolveTimeoutMs = 240_000;
const javaTimeoutMs = 60_000;
/** What a first run may take altogether. */
export const bouncyCastleTimeoutMs = resolveTimeoutMs + javaTimeoutMs;

/** The programs that are missing here; empty when the cross-check can run. */
export async function missingPrograms(): Promise<string[]> {
  const missing: string[] = [];
  for (const program of ['java', 'mvn']) {
    try {
      await run(program, ['-version'], { timeout: javaTimeoutMs });
    } catch {
      missing.push(program);
    }
  }
  return missing;
}

/** Runs the Java program on a directory; returns its output lines. */
export async function crossCheck(dir: string): Promise<string[]> {
  const jars = await resolveJars();
  const { stdout } = await run('java', ['-cp', join(jars, '*'), join(project, 'CrossCheck.java'), dir], {
    timeout: javaTimeoutMs,
  });
  return stdout.trim().split('\n').sort();
}

async function resolveJars(): Promise<string> {
  const cache = process.env['TRELLIS_CACHE'] ?? join(homedir(), '.cache', 'trellis');
  const pom = join(project, 'pom.xml');
  const version = /<artifactId>bcpkix-jdk18on<\/artifactId>\s*<version>([\w.]+)<\/version>/.exec(
    await readFile(pom, 'utf8'),
  )?.[1];
  const jars = join(cache, `bouncycastle-${version}`);
  if (existsSync(jars)) return jars;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, '.bouncycastle-'));
  try {
    const goals = ['dependency:copy-dependencies', `-DoutputDirectory=${fresh}`];
    await run('mvn', ['-q', '-B', '-f', pom, ...goals], { timeout: resolveTimeoutMs });
    // Another run may have been faster; either directory will do.
    await rename(fresh, jars).catch((error: unknown) => {
      if (!existsSync(jars)) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return jars;
}
