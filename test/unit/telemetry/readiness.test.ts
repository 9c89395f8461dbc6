import { expect, test } from 'vitest';
import { createReadiness } from '../../../src/telemetry/readiness.ts';

test('nothing is ready until it was reported', () => {
  expect(createReadiness(['state', 'ca']).conditions()).toEqual([
    { name: 'state', ready: false, reason: 'not reported yet' },
    { name: 'ca', ready: false, reason: 'not reported yet' },
  ]);
});

test('the last report counts', () => {
  const readiness = createReadiness(['state', 'ca']);
  readiness.ready('state');
  readiness.ready('ca');
  readiness.notReady('ca', 'expires in 3 minutes');
  expect(readiness.conditions()).toEqual([
    { name: 'state', ready: true },
    { name: 'ca', ready: false, reason: 'expires in 3 minutes' },
  ]);
});
