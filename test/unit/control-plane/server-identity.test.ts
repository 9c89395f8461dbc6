import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Authority } from '../../../src/control-plane/authority.ts';
import { renewServerIdentity, type ServerIdentity } from '../../../src/control-plane/server-identity.ts';
import { IdentityError } from '../../../src/identity/errors.ts';
import { testLog } from '../../support/control-plane.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const minute = 60_000;
const in10Minutes = () => ({ certificates: [], notAfter: new Date(Date.now() + 10 * minute) });

/** A server that is given certificates by an authority that can fail, on a clock of its own. */
function renewing(issue: () => ReturnType<typeof in10Minutes>, initialLifeMs: number) {
  const log = testLog();
  const stop = new AbortController();
  let contexts = 0;
  const bundle = { trustDomain: 'cluster.local', anchors: [] };
  renewServerIdentity(
    { setSecureContext: () => contexts++ },
    {
      authority: { bundle, issue } as unknown as Authority,
      initial: {
        certificates: [],
        notAfter: new Date(Date.now() + initialLifeMs),
      } as unknown as ServerIdentity,
      now: () => new Date(),
      random: () => 0.5,
      signal: stop.signal,
      log: log.logger,
    },
  );
  return { log, stop, contexts: () => contexts };
}

test('a renewal that fails is logged and tried again, and ends nothing', async () => {
  let failing = true;
  const server = renewing(() => {
    if (failing) throw new IdentityError('ERR_CA_NOT_YET_VALID', 'the clock was set back');
    return in10Minutes();
  }, 2 * minute);
  await vi.advanceTimersByTimeAsync(2 * minute);
  expect(server.contexts()).toBe(0);
  expect(server.log.lines()[0]).toMatchObject({ level: 50, err: { message: 'the clock was set back' } });
  failing = false;
  await vi.advanceTimersByTimeAsync(minute);
  expect(server.contexts()).toBe(1);
});

test('certificates that have ended when they are issued are not renewed without pause', async () => {
  const server = renewing(() => ({ certificates: [], notAfter: new Date(Date.now() - minute) }), -minute);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(server.contexts()).toBeGreaterThan(0);
  expect(server.contexts()).toBeLessThanOrEqual(10);
});

test('nothing is renewed once it has stopped', async () => {
  const server = renewing(in10Minutes, minute);
  server.stop.abort();
  await vi.advanceTimersByTimeAsync(10 * minute);
  expect(server.contexts()).toBe(0);
});
