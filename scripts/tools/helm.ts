// Helm, which installs the chart: TRELLIS_HELM, a version 4 on PATH, else built from the Go module proxy.

import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import { builtWithGo, type GoProgram } from './go-build.ts';
import type { Tool } from './tool.ts';

/** The version whose behaviour the tests know. */
const helmVersion = '4.3.1';

const versionTimeoutMs = 60_000;

const program: GoProgram = {
  name: 'helm',
  key: `helm-${helmVersion}`,
  // Go's checksum database vouches for the sources.
  build: (directory) => ({
    args: ['install', `helm.sh/helm/v4/cmd/helm@v${helmVersion}`],
    env: { GOBIN: directory },
  }),
};

/** @throws ToolError that says what to install or set */
export async function findHelm(search: ToolSearch): Promise<Tool> {
  const given = search.env['TRELLIS_HELM'];
  // A variable that is set is an order: when it does not work out we say so and look no further.
  const helm = given ? await judge(given, search.env) : ((await fromPath(search)) ?? (await built(search)));
  search.log(`helm: ${helm.version} at ${helm.path}`);
  return helm;
}

async function fromPath({ env, log }: ToolSearch): Promise<Tool | undefined> {
  const path = await which('helm', env);
  if (path === undefined) return undefined;
  try {
    return await judge(path, env);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`helm: looking further: ${error.message}`);
    return undefined;
  }
}

async function built(search: ToolSearch): Promise<Tool> {
  return await judge(await builtWithGo(program, await findGo(search), search), search.env);
}

async function judge(path: string, env: NodeJS.ProcessEnv): Promise<Tool> {
  const result = await run(path, ['version', '--short'], { env, timeoutMs: versionTimeoutMs });
  if (result.startError === 'ENOENT') {
    throw new ToolError('ERR_TOOL_MISSING', `${path}: there is no such program`);
  }
  // "v4.2.4+g08663e6"; without its linker's settings, as `go install` builds it, "v4.3".
  const version = /^v(\d+\.\d+[\w.-]*)/m.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'its answer holds no version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} version does not work: ${why}`);
  }
  // Version 3 applies and uninstalls in other ways, and so may version 5.
  if (!version.startsWith('4.')) {
    throw new ToolError(
      'ERR_TOOL_TOO_OLD',
      `${path} is Helm ${version}: give a Helm 4, or unset TRELLIS_HELM to have one built`,
    );
  }
  return { path, version };
}
