import { expect, test } from 'vitest';
import { withDefaults } from '../../../src/registry/options.ts';

test('registries without TLS are named with the ports they have', () => {
  const named = ['Registry.example', 'registry.example:5000'];
  expect(withDefaults({ plainHttp: named }).plainHttp).toEqual(['registry.example', 'registry.example:5000']);
});

test('the port of TLS is not one of them: without it the name would stand for all ports', () => {
  expect(() => withDefaults({ plainHttp: ['registry.example:443'] })).toThrow(
    expect.objectContaining({
      code: 'ERR_REGISTRY_CONFIGURATION',
      message: expect.stringContaining('443 is that of TLS'),
    }),
  );
});
