// Single steps, at their edges. What they come to together is in keep.test.ts.

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { systemRandomness } from '../../../../src/admission/certificate/issue.ts';
import {
  maxPrevious,
  type Plan,
  type PlanInput,
  planServingCertificate,
} from '../../../../src/admission/certificate/plan.ts';
import {
  emptyState,
  readSecretData,
  writeSecretData,
} from '../../../../src/admission/certificate/secret-data.ts';
import { bundleOf, type ServingState } from '../../../../src/admission/certificate/serving-state.ts';
import { defaultCertificateTiming, maxSpanMs } from '../../../../src/admission/certificate/timing.ts';

const day = 24 * 3_600_000;
const start = new Date('2026-03-01T12:00:00Z');
const name = 'trellis-webhook.trellis-system.svc';
const random = systemRandomness(randomBytes);

function plan(state: ServingState | undefined, afterDays: number, more: Partial<PlanInput> = {}): Plan {
  return planServingCertificate({
    stored: state === undefined ? emptyState : readSecretData(writeSecretData(state)),
    ...{ known: undefined, trusted: [], settledMs: 0, names: [name], random },
    now: new Date(start.getTime() + afterDays * day),
    timing: defaultCertificateTiming,
    ...more,
  });
}

const { state: first } = plan(undefined, 0);
const lifeDays = (certificate: { notBefore: Date; notAfter: Date }): number =>
  Math.round((certificate.notAfter.getTime() - certificate.notBefore.getTime()) / day);

test('a CA for a year and a leaf for thirty days, and as long a past for clocks that are behind', () => {
  expect(first.generation).toBe(1);
  expect(lifeDays(first.authority.certificate)).toBe(730);
  expect(lifeDays(first.leaf.certificate)).toBe(60);
  expect(first.leaf.certificate.extensions.subjectAltName?.dnsNames).toEqual([name]);
  expect(first.authority.key.algorithm).toBe('ECDSA-P256');
});

test('when nothing is due, nothing changes, and everything comes out as it went in', () => {
  const { state, steps } = plan(first, 10);
  expect(steps).toEqual([]);
  expect(writeSecretData(state)).toEqual(writeSecretData(first));
});

describe('renewal is at two thirds of a life, or up to a twentieth sooner', () => {
  test.each([
    ['leaf', 18.4, []],
    ['leaf', 20.1, ['leaf-renewed']],
    ['CA', 225, ['leaf-renewed']],
    ['CA', 244, ['ca-prepared', 'leaf-renewed']],
  ])('%s after %d days', (_what, days, steps) => {
    expect(plan(first, days).steps).toEqual(steps);
  });

  test('those that were issued together do not come due together', () => {
    const dueAt = new Set(
      Array.from({ length: 12 }, () => {
        const { state } = plan(undefined, 0);
        return Array.from({ length: 30 }, (_, i) => 18.4 + i / 15).find(
          (days) => plan(state, days).steps.length > 0,
        );
      }),
    );
    expect(dueAt.size).toBeGreaterThan(2);
  });
});

test('a leaf does not outlive its CA, and is not renewed for nothing in its last days', () => {
  const { state } = plan({ ...first, leaf: first.leaf }, 355);
  expect(state.leaf.certificate.notAfter).toEqual(first.authority.certificate.notAfter);
  const later = plan({ ...state, next: undefined }, 364, { settledMs: 0 });
  expect(later.state.leaf.certificate.der).toEqual(state.leaf.certificate.der);
});

test('another name needs another leaf', () => {
  const names = [name, 'other.trellis-system.svc'];
  const { state, steps } = plan(first, 1, { names });
  expect(steps).toEqual(['leaf-renewed']);
  expect(state.leaf.certificate.extensions.subjectAltName?.dnsNames).toEqual(names);
  expect(state.authority.certificate.der).toEqual(first.authority.certificate.der);
});

describe('exchanging the CA', () => {
  const { state: prepared } = plan(first, 244);
  const { propagationMs, urgentMs, retireMs } = defaultCertificateTiming;

  test('waits until the bundle has settled', () => {
    expect(plan(prepared, 244.1, { settledMs: propagationMs - 1 }).steps).toEqual([]);
    const { state, steps } = plan(prepared, 244.1, { settledMs: propagationMs });
    expect(steps).toEqual(['ca-activated']);
    expect(state.authority.certificate.der).toEqual(prepared.next?.certificate.der);
    // Activation changes nothing about who is trusted.
    expect(bundleOf(state)).toBe(bundleOf(prepared));
    expect(plan(state, 245, { settledMs: retireMs - 1 }).steps).toEqual([]);
    const retired = plan(state, 246, { settledMs: retireMs });
    expect(retired.steps).toEqual(['ca-retired']);
    expect(bundleOf(retired.state)).not.toContain(bundleOf(first));
  });

  test('is quicker when the CA has ended', () => {
    expect(plan(prepared, 366, { settledMs: urgentMs - 1 }).steps).toEqual([]);
    expect(plan(prepared, 366, { settledMs: urgentMs }).steps).toEqual(['ca-activated']);
  });

  test('the next one is made anew when its time has passed before it came', () => {
    const { state, steps } = plan(prepared, 1_000, { settledMs: retireMs });
    expect(steps).toEqual(['ca-prepared']);
    expect(state.next?.certificate.der).not.toEqual(prepared.next?.certificate.der);
  });
});

describe('what replaces a certificate covers its life', () => {
  test('so that a clock that went ahead shuts nobody out', () => {
    const { state } = plan(plan(first, 700).state, 700, { settledMs: day });
    expect(state.authority.certificate.notBefore).toEqual(first.authority.certificate.notBefore);
    expect(state.leaf.certificate.notBefore <= start).toBe(true);
  });

  test('but not for any length of time', () => {
    const { state } = plan(plan(first, 4_000).state, 4_000, { settledMs: day });
    expect(lifeDays(state.authority.certificate)).toBe(730);
    expect(4_000 * day).toBeGreaterThan(maxSpanMs);
  });
});

test('a state with an ended CA and no leaf is begun anew', () => {
  const data = { ...writeSecretData(first), 'tls.crt': undefined };
  const { state, steps } = plan(undefined, 400, { stored: readSecretData(data) });
  expect(steps).toEqual(['created']);
  expect(state.generation).toBe(2);
});

test('no more CAs are kept than a few, whatever was trusted', () => {
  const trusted = Array.from({ length: 9 }, () => plan(undefined, 0).state.authority.certificate);
  const { state } = plan(undefined, 1, { trusted });
  expect(state.previous).toHaveLength(maxPrevious);
  // Nor any that has ended.
  expect(plan(undefined, 366, { trusted }).state.previous).toEqual([]);
});

test('an older state that comes back is not taken for news', () => {
  const { state: newer } = plan(first, 21);
  const { state, steps } = plan(first, 22, { known: newer });
  expect(steps).toEqual(['restored']);
  expect(state.generation).toBe(3);
  expect(state.leaf.certificate.der).toEqual(newer.leaf.certificate.der);
});
