// Where test programs are, for tests.

import { type Envoy, findEnvoy } from '../../src/cli/tools/envoy.ts';

let envoy: Promise<Envoy> | undefined;

/** The Envoy under test, found once a file. Without one the test fails: nearly everything here is about Envoy. */
export function testEnvoy(): Promise<Envoy> {
  envoy ??= findEnvoy({ env: process.env, log: () => {} });
  return envoy;
}
