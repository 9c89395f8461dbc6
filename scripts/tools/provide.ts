// Finds the test programs, and on a CI machine installs the Debian packages of those that are missing.

import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { catalogue, type ToolName } from './catalogue.ts';
import type { Tool } from './tool.ts';

/** A slow mirror and a JDK. */
const aptTimeoutMs = 15 * 60 * 1000;

/** True where it is ours to install packages: a throw-away CI machine, never somebody's own. */
export function mayInstallPackages(env: NodeJS.ProcessEnv, uid: number | undefined): boolean {
  return uid === 0 && isCi(env);
}

/** CI services set `CI=true`; some people set `CI=false` to say the opposite. */
export function isCi(env: NodeJS.ProcessEnv): boolean {
  return !['', '0', 'false'].includes(env['CI'] ?? '');
}

/** The tool, after installing its packages when that is allowed and helps. @throws ToolError */
export async function provide(
  name: ToolName,
  search: ToolSearch,
  options: { installPackages: boolean },
): Promise<Tool> {
  const { find, packages, use } = catalogue[name];
  try {
    return await find(search);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const missing = packages(error.code);
    const apt = await which('apt-get', search.env);
    if (!options.installPackages || missing.length === 0 || apt === undefined) {
      throw new ToolError(error.code, `${name} (${use}): ${error.message}`, { cause: error });
    }
    await aptInstall(apt, missing, search);
    return await find(search);
  }
}

async function aptInstall(apt: string, packages: readonly string[], search: ToolSearch): Promise<void> {
  search.log(`installing ${packages.join(' ')} with apt-get`);
  const options = {
    env: { ...search.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: aptTimeoutMs,
  };
  const install = ['install', '--yes', '--no-install-recommends', ...packages];
  // Out-of-date lists are tried as they are when they cannot be refreshed.
  await run(apt, ['update'], options);
  const result = await run(apt, install, options);
  if (result.status !== 0) {
    throw new ToolError('ERR_TOOL_INSTALL', `apt-get ${install.join(' ')}: ${result.problem}`);
  }
}
