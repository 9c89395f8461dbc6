// Reads the custom resource definitions that come with Trellis: the one place where they enter the running program.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

const shipped = join(import.meta.dirname, '../../charts/trellis/crds');

/** The parsed definitions, for createCustomResourceValidator. Rejects when the folder cannot be read. */
export async function readCustomResourceDefinitions(directory = shipped): Promise<readonly unknown[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.yaml')).sort();
  return Promise.all(files.map(async (file) => parse(await readFile(join(directory, file), 'utf8'))));
}
