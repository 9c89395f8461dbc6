import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Installs Envoy once, before any test's time limit runs.
    globalSetup: ['test/support/global-setup.ts'],
    // Tests start real programs on machines that may be busy; none asserts a duration.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Hundreds of real processes on a shared machine: in CI a test gets a second try, and the report says which needed it.
    retry: process.env['CI'] ? 1 : 0,
    // They wait for their processes most of the time: one file at a time would leave a machine with two cores idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A run that finds no test, or one left focused, is a failure.
    passWithNoTests: false,
    allowOnly: false,
  },
});
