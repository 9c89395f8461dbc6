// A Kubernetes control plane for tests, in a directory laid out as kubebuilder's tools have it: KUBEBUILDER_ASSETS, else
// built from test/go/kube, one program that is etcd, kube-apiserver, … or kubectl by the name it is called under.

import { createHash } from 'node:crypto';
import { readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import { builtWithGo } from './go-build.ts';
import type { Tool } from './tool.ts';

const versionTimeoutMs = 60_000;

const sources = join(import.meta.dirname, '../../test/go/kube');
const sourceFiles = ['go.mod', 'go.sum', 'main.go'];

/** kubebuilder's archives hold these three. */
const required = ['etcd', 'kube-apiserver', 'kubectl'];
const optional = ['kube-controller-manager', 'kube-scheduler'];

/** The directory of the programs. @throws ToolError that says what to install or set */
export async function findKube(search: ToolSearch): Promise<Tool> {
  const path = search.env['KUBEBUILDER_ASSETS'] || (await fromCache(search));
  const kube = { path, version: await checkAssets(path, search) };
  search.log(`kube: ${kube.version} in ${path}`);
  return kube;
}

async function checkAssets(directory: string, { env, log }: ToolSearch): Promise<string> {
  const has = async (name: string): Promise<boolean> =>
    (await which(name, { PATH: directory })) !== undefined;
  for (const name of required) {
    if (await has(name)) continue;
    const hint = `KUBEBUILDER_ASSETS names a directory with ${required.join(', ')}; unset it to have them built`;
    throw new ToolError('ERR_TOOL_MISSING', `${directory} has no ${name}: ${hint}`);
  }
  for (const name of optional) {
    if (!(await has(name))) log(`kube: no ${name} in ${directory}: tests that need it will fail`);
  }
  const server = join(directory, 'kube-apiserver');
  const result = await run(server, ['--version'], { env, timeoutMs: versionTimeoutMs });
  const version = /^Kubernetes v(\d+\.\d+\.\d+\S*)/m.exec(result.stdout)?.[1];
  if (result.status === 0 && version !== undefined) return version;
  const why = result.problem || 'its answer holds no version';
  throw new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${server} --version does not work: ${why}`);
}

const name = 'kube';

async function fromCache(search: ToolSearch): Promise<string> {
  const texts = await Promise.all(sourceFiles.map((file) => readFile(join(sources, file))));
  const hash = createHash('sha256');
  for (const text of texts) hash.update(createHash('sha256').update(text).digest());
  const args = (directory: string): readonly string[] => [
    // -mod=readonly: what is not pinned in go.sum is not built.
    ...['build', '-C', sources, '-mod=readonly', '-ldflags', linkerFlags(String(texts[0]))],
    ...['-o', join(directory, name), '.'],
  ];
  const program = {
    name,
    key: `${name}-${hash.digest('hex').slice(0, 16)}`,
    build: (directory: string) => ({ args: args(directory) }),
  };
  const directory = dirname(await builtWithGo(program, await findGo(search), search));
  for (const each of [...required, ...optional]) await link(join(directory, each));
  return directory;
}

/** The programs ask the linker for their version; without one, `kubectl version` and emulated versions fail. */
function linkerFlags(goMod: string): string {
  const version = /k8s\.io\/kubernetes v(\S+)/.exec(goMod)?.[1] ?? '0.0.0';
  const [major, minor] = version.split('.');
  const settings = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  const values = Object.entries(settings).map(
    ([variable, value]) => `-X k8s.io/component-base/version.${variable}=${value}`,
  );
  return ['-s', '-w', ...values].join(' ');
}

/** Made when the entry is in its place: a process that builds at the same moment may make them too. */
async function link(path: string): Promise<void> {
  try {
    await symlink(name, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
