// Registries for tests, one of each kind: Debian's docker-registry, which keeps no list of referrers, and a small program
// of our own around go-containerregistry's registry, which does.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import { builtWithGo } from './go-build.ts';
import type { Tool } from './tool.ts';

const versionTimeoutMs = 60_000;

const dockerRegistryHint =
  'install it (Debian, Ubuntu: apt-get install docker-registry), or set TRELLIS_DOCKER_REGISTRY';

/** TRELLIS_DOCKER_REGISTRY, else PATH. @throws ToolError */
export async function findDockerRegistry({ env, log }: ToolSearch): Promise<Tool> {
  const path = env['TRELLIS_DOCKER_REGISTRY'] || (await which('docker-registry', env));
  if (path === undefined) {
    throw new ToolError('ERR_TOOL_MISSING', `docker-registry is not on PATH: ${dockerRegistryHint}`);
  }
  const result = await run(path, ['--version'], { env, timeoutMs: versionTimeoutMs });
  if (result.startError === 'ENOENT') {
    throw new ToolError('ERR_TOOL_MISSING', `${path}: there is no such program: ${dockerRegistryHint}`);
  }
  // "docker-registry github.com/docker/distribution 2.8.2+ds1"
  const version = /distribution\S* v?(\d+\.\d+\.\d+\S*)/.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined) {
    const why = result.problem || 'its answer holds no version';
    throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} --version does not work: ${why}`);
  }
  log(`docker-registry: ${version} at ${path}`);
  return { path, version };
}

const ociRegistrySources = join(import.meta.dirname, '../../test/go/registry');
const sourceFiles = ['go.mod', 'go.sum', 'main.go'];
const moduleName = 'github.com/google/go-containerregistry';

/** TRELLIS_OCI_REGISTRY, else built from test/go/registry. @throws ToolError */
export async function findOciRegistry(search: ToolSearch): Promise<Tool> {
  const sources = await Promise.all(sourceFiles.map((name) => readFile(join(ociRegistrySources, name))));
  const version = new RegExp(`${moduleName} v(\\S+)`).exec(String(sources[0]))?.[1] ?? 'unknown';
  const given = search.env['TRELLIS_OCI_REGISTRY'];
  const path = given || (await build(sources, search));
  search.log(`oci-registry: ${version} at ${path}`);
  return { path, version };
}

async function build(sources: readonly Buffer[], search: ToolSearch): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(createHash('sha256').update(source).digest());
  const key = `oci-registry-${hash.digest('hex').slice(0, 16)}`;
  const name = 'oci-registry';
  // -mod=readonly: what is not pinned in go.sum is not built.
  const args = (directory: string): readonly string[] => [
    ...['build', '-C', ociRegistrySources, '-mod=readonly', '-o', join(directory, name), '.'],
  ];
  const program = { name, key, build: (directory: string) => ({ args: args(directory) }) };
  return await builtWithGo(program, await findGo(search), search);
}
