// Runs once before all test files: installs Envoy if need be, so that no test spends its time limit on a download,
// and tells the test files where it is.

import { isCi } from '../../scripts/tools/provide.ts';
import { findEnvoy } from '../../src/cli/tools/envoy.ts';

export default async function setup(): Promise<void> {
  try {
    const log = (line: string): void => void process.stderr.write(`${line}\n`);
    process.env['TRELLIS_ENVOY'] = (await findEnvoy({ env: process.env, log })).path;
  } catch (error) {
    if (isCi(process.env)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`NO ENVOY, so every test that needs one will fail: ${reason}\n`);
  }
}
