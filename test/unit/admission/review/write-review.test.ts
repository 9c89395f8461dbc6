import { describe, expect, test } from 'vitest';
import type { AdmissionDecision, Finding } from '../../../../src/admission/decision.ts';
import { AdmissionError } from '../../../../src/admission/errors.ts';
import { decisionReview, failedReview, patchReview } from '../../../../src/admission/review/write-review.ts';

const uid = 'a-uid';

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    ...{
      code: 'image-denied',
      enforcement: 'enforce',
      policy: 'trading/images',
      field: 'spec.containers[0].image',
    },
    message: 'image x is denied',
    ...changes,
  };
}

function decision(findings: readonly Finding[], changes: Partial<AdmissionDecision> = {}): AdmissionDecision {
  const allowed = findings.every(({ enforcement }) => enforcement !== 'enforce');
  return { allowed, findings, images: [], unchanged: false, ...changes };
}

test('an answer is a review of the same uid', () => {
  expect(decisionReview(uid, decision([]))).toEqual({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, allowed: true, auditAnnotations: { decision: 'allowed' } },
  });
  expect(decisionReview(uid, decision([finding()])).response).toMatchObject({ uid, allowed: false });
});

describe('a denial', () => {
  const denied = (findings: readonly Finding[]) =>
    decisionReview(uid, { ...decision(findings), allowed: false }).response;
  const statusOf = (findings: readonly Finding[]) => denied(findings).status;

  test('is 403 with its reason', () => {
    expect(statusOf([finding()])).toEqual({ code: 403, reason: 'Forbidden', message: 'image x is denied' });
  });

  test('is 503, without being repeated by clients, when nothing but ignorance stands against the object', () => {
    const unknown = finding({ code: 'image-unknown' });
    expect(statusOf([unknown, unknown])).toEqual(
      expect.objectContaining({ code: 503, reason: 'ServiceUnavailable' }),
    );
    expect(statusOf([unknown])).not.toHaveProperty('details');
    expect(statusOf([unknown, finding()])).toMatchObject({ code: 403 });
    expect(statusOf([unknown, finding({ code: 'policy-unusable' })])).toMatchObject({ code: 503 });
    const warned = finding({ enforcement: 'warn' });
    expect(statusOf([unknown, warned])).toMatchObject({ code: 503 });
    // The tag could not be resolved either.
    const tag = finding({ code: 'image-not-digest' });
    expect(statusOf([unknown, tag])).toMatchObject({ code: 503 });
    expect(statusOf([tag])).toMatchObject({ code: 403 });
    // That there is no such image is known.
    expect(statusOf([finding({ code: 'image-not-found' })])).toMatchObject({ code: 403 });
  });

  test('names all reasons, and none of those that only warn', () => {
    const findings = [
      finding(),
      finding({ message: 'second' }),
      finding({ message: 'soft', enforcement: 'warn' }),
    ];
    expect(statusOf(findings)?.message).toBe('2 reasons:\n- image x is denied\n- second');
  });

  test('without a finding has a message still', () => {
    expect(statusOf([])?.message).not.toBe('');
  });

  test('is bounded in bytes, on whole characters, and shows what it shows escaped', () => {
    const long = statusOf([finding({ message: 'ü'.repeat(5_000) })])?.message ?? '';
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(4_096);
    expect(Buffer.byteLength(long)).toBeGreaterThan(4_090);
    expect(long).toMatch(/^ü+…$/);
    expect(statusOf([finding({ message: 'a\nb\u202ec' })])?.message).toBe('a\\u000ab\\u202ec');
  });

  test('brings the warnings, too', () => {
    const both = [finding(), finding({ message: 'soft', enforcement: 'warn' })];
    expect(denied(both).warnings).toEqual(['soft']);
  });
});

describe('what failed', () => {
  test('is refused in the words of an error that is meant to be read', () => {
    const error = new AdmissionError('ERR_KIND_NOT_JUDGED', 'what is that');
    expect(failedReview(uid, error).response).toEqual({
      ...{ uid, allowed: false },
      status: { code: 403, reason: 'Forbidden', message: 'what is that (ERR_KIND_NOT_JUDGED)' },
    });
  });

  test('may pass later where it was not the fault of whoever asked', () => {
    const error = new AdmissionError('ERR_POLICIES_UNKNOWN', 'not yet');
    expect(failedReview(uid, error).response.status).toMatchObject({ code: 503 });
  });
});

describe('warnings', () => {
  const warn = (message: string) => finding({ message, enforcement: 'warn' });
  const warningsOf = (findings: readonly Finding[]) =>
    decisionReview(uid, { ...decision(findings), allowed: true }).response.warnings;

  test('are those of policies that warn, each once; audit is silent', () => {
    expect(warningsOf([warn('a'), warn('b'), warn('a'), finding({ enforcement: 'audit' })])).toEqual([
      'a',
      'b',
    ]);
    expect(warningsOf([finding({ enforcement: 'audit' })])).toBeUndefined();
  });

  test('have no control character: the API server would drop them', () => {
    expect(warningsOf([warn('a\nb\u0007')])).toEqual(['a\\u000ab\\u0007']);
  });

  test('are whole where there is room for all, and cut where there is none', () => {
    const long = 'x'.repeat(1_000);
    expect(warningsOf([warn(long), warn(`${long}y`)])).toEqual([long, `${long}y`]);
    const cut = warningsOf([1, 2, 3, 4].map((each) => warn(`${each}${'💥'.repeat(500)}`))) ?? [];
    expect(cut.map((text) => [...text].length)).toEqual([256, 256, 256, 256]);
    expect(cut.map((text) => [...text].at(-1))).toEqual(['…', '…', '…', '…']);
  });

  test('are the first ones where there are too many, and say how many more there are', () => {
    const many =
      warningsOf(Array.from({ length: 100 }, (_, each) => warn(`${each} ${'x'.repeat(300)}`))) ?? [];
    expect(many).toHaveLength(12);
    expect(many[0]).toMatch(/^0 x/);
    expect(many.at(-1)).toBe('and 89 more; trellis admit tells all of them');
    expect(many.reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(3_072);
  });
});

describe('the audit log', () => {
  const annotationsOf = (judged: AdmissionDecision) => decisionReview(uid, judged).response.auditAnnotations;

  test('has what was decided, found and judged', () => {
    const images: AdmissionDecision['images'] = [
      { image: 'x', field: 'spec.containers[0].image', decision: 'verified', digest: 'sha256:00' },
      { image: 'y', field: 'spec.containers[1].image', decision: 'allowed', digest: undefined },
    ];
    const audited = finding({ enforcement: 'audit', policy: undefined, code: 'privileged' });
    expect(annotationsOf(decision([finding(), audited], { images }))).toEqual({
      decision: 'denied',
      findings: 'image-denied (enforce, trading/images); privileged (audit)',
      images: 'spec.containers[0].image verified sha256:00; spec.containers[1].image allowed',
    });
    expect(annotationsOf(decision([], { unchanged: true }))).toEqual({ decision: 'unchanged' });
  });

  test('is bounded, and its keys are names', () => {
    const many = Array.from({ length: 1_000 }, () => finding());
    const annotations = annotationsOf(decision(many)) ?? {};
    for (const [key, value] of Object.entries(annotations)) {
      expect(key).toMatch(/^[a-z]{1,63}$/);
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(2_048);
    }
  });
});

describe('a patch', () => {
  test('is base64 of its JSON', () => {
    const operations = [{ op: 'add', path: '/spec/containers/0/image', value: 'ü' }];
    const { patch, ...response } = patchReview(uid, operations).response;
    expect(response).toEqual({ uid, allowed: true, patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(patch ?? '', 'base64').toString())).toEqual(operations);
  });

  test('of nothing is none: the API server refuses a type without a patch', () => {
    expect(patchReview(uid, []).response).toEqual({ uid, allowed: true });
  });
});
