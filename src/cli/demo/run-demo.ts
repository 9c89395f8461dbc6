// `trellis demo`: what is printed, and when it ends.

import { requirePostQuantumCrypto } from '../crypto-support.ts';
import { CliError, explainFailure } from '../errors.ts';
import type { CheckResult } from './check.ts';
import { checkPlan } from './checks/index.ts';
import { withDemo } from './demo.ts';
import { demoJson } from './demo-json.ts';
import { Live, type Screen } from './live/live.ts';
import { checkLine, demoReport, summaryLine, wantsColors } from './report.ts';
import { runChecks } from './run-checks.ts';
import type { RunningMesh } from './running-mesh.ts';
import { writeAtomically } from './state-directory.ts';

export interface RunDemoOptions {
  /** `live` goes on until it is stopped; the others run the checks once. */
  readonly mode: 'live' | 'list' | 'json';
  readonly state: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly screen: Screen;
  readonly errorScreen: Screen;
  readonly signal: AbortSignal;
}

/** @throws CliError when a check failed, or something went wrong */
export async function runDemo(options: RunDemoOptions): Promise<void> {
  requirePostQuantumCrypto();
  await (options.mode === 'live' ? runLive(options) : runOnce(options));
}

async function runLive(options: RunDemoOptions): Promise<void> {
  const { stdout, stderr, screen, env, state, signal } = options;
  const live = new Live({ screen, write: stdout, colors: wantsColors(screen, env) });
  const log = (line: string): void => stderr(`trellis: ${line}\n`);
  try {
    await withDemo(
      { state, env, signal, log, onEnvoy: () => {}, onAccess: (line) => live.onAccess(line) },
      async (mesh) => {
        await announce(mesh);
        await live.run(mesh, signal);
      },
    );
  } catch (error) {
    // Being stopped is how a live demo ends.
    if (!signal.aborted) throw error;
  }
  log('everything has ended');
}

async function runOnce(options: RunDemoOptions): Promise<void> {
  const { mode, stdout, stderr, env, state, signal } = options;
  const json = mode === 'json';
  const write = json ? stderr : stdout;
  const colors = wantsColors(json ? options.errorScreen : options.screen, env);
  let envoy: string | undefined;
  const results: CheckResult[] = [];
  const onResult = (result: CheckResult): void => {
    results.push(result);
    write(`${checkLine(result, colors)}\n`);
  };
  let checks: readonly CheckResult[];
  try {
    checks = await withDemo(
      {
        state,
        env,
        signal,
        log: (line) => stderr(`trellis: ${line}\n`),
        onEnvoy: (version) => {
          envoy = version;
        },
        onAccess: () => {},
      },
      async (mesh) => {
        await announce(mesh);
        return await runChecks({ mesh, plan: checkPlan, onResult });
      },
    );
  } catch (error) {
    if (json) stdout(`${JSON.stringify(demoReport(envoy, results, explainFailure(error).message))}\n`);
    throw error;
  }
  if (json) stdout(`${JSON.stringify(demoReport(envoy, checks, undefined))}\n`);
  write(`${summaryLine(checks)}\n`);
  if (checks.some(({ ok }) => !ok)) throw new CliError('ERR_CHECK_FAILED', summaryLine(checks));
}

async function announce(mesh: RunningMesh): Promise<void> {
  await writeAtomically(
    mesh.demoJsonFile,
    `${JSON.stringify(demoJson(mesh), null, 2)}
`,
  );
}
