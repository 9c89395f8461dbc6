// Runs once before all test files: installs or builds the programs they need if need be, so that no test spends its time
// limit on that, and tells the test files where they are.

import type { TestProject } from 'vitest/node';
import type { ToolName } from '../../scripts/tools/catalogue.ts';
import { isCi, provide } from '../../scripts/tools/provide.ts';

const programs: readonly (readonly [ToolName, string])[] = [
  ['envoy', 'TRELLIS_ENVOY'],
  ['docker-registry', 'TRELLIS_DOCKER_REGISTRY'],
  ['oci-registry', 'TRELLIS_OCI_REGISTRY'],
  ['cosign', 'TRELLIS_COSIGN'],
  ['vectors', 'TRELLIS_VECTORS'],
  ['kube', 'KUBEBUILDER_ASSETS'],
  ['helm', 'TRELLIS_HELM'],
  ['faketime', 'TRELLIS_FAKETIME'],
  ['report-crds', 'TRELLIS_REPORT_CRDS'],
];

/** Built from the whole of Kubernetes, or much of it: ten minutes once, which only their own tests are worth. */
const kubeTests = ['/test/kube/', '/test/admission/'];
const kubePrograms: readonly ToolName[] = ['kube', 'helm', 'faketime', 'report-crds'];

export default async function setup(project: TestProject): Promise<void> {
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const needed = (await willRun(project, kubeTests))
    ? programs
    : programs.filter(([name]) => !kubePrograms.includes(name));
  for (const [name, variable] of needed) {
    try {
      const search = { env: process.env, log };
      process.env[variable] = (await provide(name, search, { installPackages: false })).path;
    } catch (error) {
      if (isCi(process.env)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      log(`NO ${name}, so every test that needs it will fail: ${reason}`);
    }
  }
}

/** Whether this run has a test file in one of these folders. The file names given are not public in vitest: without them, all run. */
async function willRun(project: TestProject, folders: readonly string[]): Promise<boolean> {
  const { filenamePattern } = project.vitest as { readonly filenamePattern?: string[] };
  const { testFiles } = await project.globTestFiles(filenamePattern);
  return testFiles.some((file) => folders.some((folder) => file.includes(folder)));
}
