// Files that others publish inside Go modules, fetched through the Go module proxy into the cache directory. No Go is
// compiled; a module is a versioned archive with a checksum.

import { copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory, cached } from '../../src/cli/tools/cache.ts';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import type { Tool } from './tool.ts';

export interface GoModule {
  readonly module: string;
  readonly version: string;
  /** Go's checksum of the whole module. */
  readonly sum: string;
  /** Where each file is in the module, and where it goes in the cache entry. */
  readonly files: readonly { readonly from: string; readonly to: string }[];
}

export interface ModuleFiles {
  /** Of the cache entry: other modules or files make another one. */
  readonly entry: string;
  readonly modules: readonly GoModule[];
}

/** 36 MB, through a slow proxy. */
const downloadTimeoutMs = 10 * 60 * 1000;

/** The directory with the files. @throws ToolError */
export async function filesFromModules(wanted: ModuleFiles, search: ToolSearch): Promise<string> {
  const cache = cacheDirectory(search.env);
  return await cached({
    cache,
    name: wanted.entry,
    check: (directory) => checkComplete(wanted, directory),
    install: async (directory) => {
      const names = wanted.modules.map(({ module }) => module).join(', ');
      search.log(`${wanted.entry}: fetching ${names} into ${cache}`);
      const go = await findGo(search);
      for (const each of wanted.modules) await install(each, go, directory, search.env);
      await writeFile(join(directory, recordName), await recordOf(wanted, directory));
    },
  });
}

async function install(
  { module, version, sum, files }: GoModule,
  go: Tool,
  target: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  // A module cache of its own: unpacked, a module can have a hundred times what is used of it.
  const moduleCache = join(target, '.modules');
  const args = ['mod', 'download', '-C', target, '-json', `${module}@${version}`];
  const settings = {
    ...env,
    GOMODCACHE: moduleCache,
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
  };
  const result = await run(go.path, args, { env: settings, timeoutMs: downloadTimeoutMs });
  if (result.status !== 0) throw new ToolError('ERR_TOOL_INSTALL', `go ${args.join(' ')}: ${result.problem}`);
  const answer = JSON.parse(result.stdout) as { readonly Dir?: string; readonly Sum?: string };
  if (answer.Dir === undefined || answer.Sum !== sum) {
    throw new ToolError('ERR_TOOL_INSTALL', `${module} ${version} is not what it was: ${answer.Sum}`);
  }
  for (const { from, to } of files) {
    const destination = join(target, to);
    await mkdir(dirname(destination), { recursive: true });
    await copyFile(join(answer.Dir, from), destination);
  }
  await rm(moduleCache, { recursive: true, force: true });
}

/** Written last: its presence says that everything was fetched, its content lets a torn file be noticed. */
const recordName = 'installed.json';

async function checkComplete(wanted: ModuleFiles, directory: string): Promise<string | undefined> {
  try {
    const record = await readFile(join(directory, recordName), 'utf8');
    return record === (await recordOf(wanted, directory)) ? directory : undefined;
  } catch {
    return undefined;
  }
}

async function recordOf({ modules }: ModuleFiles, directory: string): Promise<string> {
  const places = modules.flatMap(({ files }) => files.map(({ to }) => to));
  const sizes = await Promise.all(
    places.map(async (place) => [`/${place}`, (await stat(join(directory, place))).size]),
  );
  return JSON.stringify(Object.fromEntries(sizes));
}
