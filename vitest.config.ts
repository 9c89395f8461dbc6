import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A run that finds no test, or one left focused, is a failure.
    passWithNoTests: false,
    allowOnly: false,
  },
});
