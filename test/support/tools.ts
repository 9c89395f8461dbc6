// Where test programs are, for tests.

import { provide } from '../../scripts/tools/provide.ts';
import { type Envoy, findEnvoy } from '../../src/cli/tools/envoy.ts';

let envoy: Promise<Envoy> | undefined;

/** The Envoy under test, found once a file. Without one the test fails: nearly everything here is about Envoy. */
export function testEnvoy(): Promise<Envoy> {
  envoy ??= findEnvoy({ env: process.env, log: () => {} });
  return envoy;
}

type RegistryProgram = 'docker-registry' | 'oci-registry' | 'cosign' | 'kube' | 'helm' | 'faketime';

const found = new Map<RegistryProgram, Promise<string>>();

/** The path of a program, found once a file. Without it the test fails. */
export function testTool(name: RegistryProgram): Promise<string> {
  const search = { env: process.env, log: () => {} };
  const path = found.get(name) ?? provide(name, search, { installPackages: false }).then((tool) => tool.path);
  found.set(name, path);
  return path;
}
