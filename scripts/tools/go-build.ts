// Programs built with Go, each once for its sources and its Go, into the cache directory.

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory, cached } from '../../src/cli/tools/cache.ts';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run } from '../../src/cli/tools/process.ts';
import type { Tool } from './tool.ts';

/** With an empty module cache and on two slow processors, cosign takes ten minutes. */
const buildTimeoutMs = 30 * 60 * 1000;

export interface GoProgram {
  /** Of the program that the build leaves in the directory. */
  readonly name: string;
  /** Of the cache entry: everything on which the result depends, except Go. */
  readonly key: string;
  /** Arguments of `go`, which put the program into this directory. */
  readonly build: (directory: string) => {
    readonly args: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
  };
}

/** Written last: its presence says that the build was complete, its content lets a torn file be noticed. */
const recordName = 'built.json';

/** Path of the program. @throws ToolError ERR_TOOL_INSTALL */
export async function builtWithGo(program: GoProgram, go: Tool, search: ToolSearch): Promise<string> {
  const cache = cacheDirectory(search.env);
  return await cached({
    cache,
    name: `${program.key}-go${go.version}`,
    check: (directory) => checkBuilt(program, directory),
    install: async (directory) => {
      search.log(`${program.name}: building with Go ${go.version} into ${cache}; this takes minutes, once`);
      await build(program, go, directory, search.env);
    },
  });
}

async function build(program: GoProgram, go: Tool, directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { args, env: own = {} } = program.build(directory);
  const settings = {
    ...env,
    // A program without C libraries, that is the same wherever it is built, by this Go and no other.
    CGO_ENABLED: '0',
    GOFLAGS: '-trimpath -buildvcs=false',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    ...own,
  };
  const result = await run(go.path, args, { env: settings, timeoutMs: buildTimeoutMs });
  if (result.status !== 0) {
    throw new ToolError('ERR_TOOL_INSTALL', `go ${args.join(' ')}: ${result.problem}`);
  }
  const { size } = await stat(join(directory, program.name));
  await writeFile(join(directory, recordName), JSON.stringify({ bytes: size }));
}

async function checkBuilt(program: GoProgram, directory: string): Promise<string | undefined> {
  const path = join(directory, program.name);
  try {
    const record: unknown = JSON.parse(await readFile(join(directory, recordName), 'utf8'));
    const { size } = await stat(path);
    const complete =
      typeof record === 'object' && record !== null && 'bytes' in record && record.bytes === size;
    return complete ? path : undefined;
  } catch {
    return undefined;
  }
}
