// For Stryker: the unit tests of what it mutates, without the programs that other tests need.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/unit/signing/{base64.test.ts,format/**/*.test.ts,verify/**/*.test.ts}'],
    testTimeout: 60_000,
    passWithNoTests: false,
  },
});
