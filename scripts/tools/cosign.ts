// Stock cosign: TRELLIS_COSIGN, a version 3 on PATH, else built from the Go module proxy.

import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import { builtWithGo, type GoProgram } from './go-build.ts';
import type { Tool } from './tool.ts';

/** The version whose behaviour the tests know. */
const cosignVersion = '3.1.3';

const versionTimeoutMs = 60_000;

const program: GoProgram = {
  name: 'cosign',
  key: `cosign-${cosignVersion}`,
  // Go's checksum database vouches for the sources.
  build: (directory) => ({
    args: ['install', `github.com/sigstore/cosign/v3/cmd/cosign@v${cosignVersion}`],
    env: { GOBIN: directory },
  }),
};

/** @throws ToolError that says what to install or set */
export async function findCosign(search: ToolSearch): Promise<Tool> {
  const cosign = (await fromVariable(search)) ?? (await fromPath(search)) ?? (await fromCache(search));
  search.log(`cosign: ${cosign.version} at ${cosign.path}`);
  return cosign;
}

/** A variable that is set is an order: when it does not work out we say so and look no further. */
async function fromVariable({ env }: ToolSearch): Promise<Tool | undefined> {
  const path = env['TRELLIS_COSIGN'];
  if (path === undefined || path === '') return undefined;
  return { path, version: await fitVersion(path, env) };
}

async function fromPath({ env, log }: ToolSearch): Promise<Tool | undefined> {
  const path = await which('cosign', env);
  if (path === undefined) return undefined;
  try {
    return { path, version: await fitVersion(path, env) };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`cosign: looking further: ${error.message}`);
    return undefined;
  }
}

async function fromCache(search: ToolSearch): Promise<Tool> {
  const path = await builtWithGo(program, await findGo(search), search);
  return { path, version: await fitVersion(path, search.env) };
}

async function fitVersion(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const result = await run(path, ['version'], { env, timeoutMs: versionTimeoutMs });
  if (result.startError === 'ENOENT') {
    throw new ToolError('ERR_TOOL_MISSING', `${path}: there is no such program`);
  }
  const version = /^GitVersion:\s+v(\d+\.\d+\.\d+)/m.exec(result.stdout + result.stderr)?.[1];
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'its answer holds no version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} version does not work: ${why}`);
  }
  // Version 2 writes signatures differently, and so may version 4.
  if (!version.startsWith('3.')) {
    throw new ToolError(
      'ERR_TOOL_TOO_OLD',
      `${path} is cosign ${version}: give a cosign 3, or unset TRELLIS_COSIGN to have one built`,
    );
  }
  return version;
}
