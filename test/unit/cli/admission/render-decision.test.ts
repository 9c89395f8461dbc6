import { describe, expect, test } from 'vitest';
import type { FindingCode } from '../../../../src/admission/decision.ts';
import { renderDecision, verdictOf } from '../../../../src/cli/admission/render-decision.ts';
import { decision, finding, image } from '../../admission/report/support.ts';

const enforced = (...codes: readonly FindingCode[]) => decision(codes.map((code) => finding({ code })));

describe('the verdict', () => {
  test.each([
    ['nothing is wrong', decision(), 'allowed'],
    ['it is only recorded', decision([finding({ enforcement: 'audit' })]), 'allowed'],
    [
      'it is warned of',
      decision([finding({ enforcement: 'warn' }), finding({ enforcement: 'audit' })]),
      'warned',
    ],
    ['it is denied', enforced('image-not-verified'), 'denied'],
    ['it could not be asked', enforced('image-unknown'), 'unknown'],
    ['it could not be pinned, for that', enforced('image-unknown', 'image-not-digest'), 'unknown'],
    ['a policy cannot be used', enforced('policy-unusable'), 'unusable'],
    [
      'a policy cannot be used, and another could not be asked',
      enforced('image-unknown', 'policy-unusable'),
      'unusable',
    ],
    ['a policy cannot be used, and another denies', enforced('policy-unusable', 'image-denied'), 'denied'],
    [
      'it could not be asked, and a policy that only warns cannot be used',
      decision([
        finding({ code: 'image-unknown' }),
        finding({ code: 'policy-unusable', enforcement: 'warn' }),
      ]),
      'unknown',
    ],
    ['it is a tag, and that is all', enforced('image-not-digest'), 'denied'],
    ['another image is denied', enforced('image-unknown', 'image-denied'), 'denied'],
    [
      'it could not be asked, which is only warned of',
      decision([finding({ code: 'image-unknown', enforcement: 'warn' })]),
      'warned',
    ],
    [
      'it is denied, and another could not be asked, which is only warned of',
      decision([finding(), finding({ code: 'image-unknown', enforcement: 'warn' })]),
      'denied',
    ],
  ])('%s', (_, decided, verdict) => {
    expect(verdictOf(decided)).toBe(verdict);
  });
});

test('a field that a message begins with is not said twice', () => {
  const field = 'spec.hostNetwork';
  const about = (message: string) => renderDecision('Pod a', decision([finding({ field, message })]));
  expect(about('spec.hostNetwork is true')).toMatch(
    /^ {2}spec\.hostNetwork is true \(image-not-verified\)$/m,
  );
  expect(about('it is true')).toMatch(/^ {2}spec\.hostNetwork: it is true \(/m);
  const nowhere = decision([finding({ field: undefined, message: 'it is true' })]);
  expect(renderDecision('Pod a', nowhere)).toMatch(/^ {2}it is true \(/m);
});

test('a digest is said where the image does not', () => {
  const render = (text: string) =>
    renderDecision('Pod a', decision([], { images: [image({ image: text })] }));
  expect(render('a:1')).toMatch(/^ {2}verified: spec\.containers\[0\]\.image: a:1 \(sha256:0\)$/m);
  expect(render('a@sha256:0')).toMatch(/^ {2}verified: spec\.containers\[0\]\.image: a@sha256:0$/m);
});
