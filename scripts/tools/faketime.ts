// Debian's faketime, under which a program sees another time than the machine's.

import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import type { Tool } from './tool.ts';

const versionTimeoutMs = 60_000;
const hint = 'install it (Debian, Ubuntu: apt-get install faketime), or set TRELLIS_FAKETIME';

/** TRELLIS_FAKETIME, else PATH. @throws ToolError */
export async function findFaketime({ env, log }: ToolSearch): Promise<Tool> {
  const path = env['TRELLIS_FAKETIME'] || (await which('faketime', env));
  if (path === undefined) {
    throw new ToolError('ERR_TOOL_MISSING', `faketime is not on PATH: ${hint}`);
  }
  const result = await run(path, ['--version'], { env, timeoutMs: versionTimeoutMs });
  if (result.startError === 'ENOENT') {
    throw new ToolError('ERR_TOOL_MISSING', `${path}: there is no such program: ${hint}`);
  }
  // "faketime: Version 0.9.10"
  const version = /Version (\d+[\w.-]*)/.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'its answer holds no version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} --version does not work: ${why}`);
  }
  log(`faketime: ${version} at ${path}`);
  return { path, version };
}
