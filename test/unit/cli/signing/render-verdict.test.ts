import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { ImageDecision, JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { imageJson, renderImage } from '../../../../src/cli/signing/render-verdict.ts';

const image = 'registry.example/trading/app:v1';
type Verdicts = JudgedImage['requirements'];
const judged = (decision: ImageDecision, requirements: Verdicts = []): JudgedImage => ({
  ...{ image, decision, ok: decision === 'verified' || decision === 'allowed' },
  ...{ digest: undefined, requirements, signatures: [] },
});
const linesOf = (about: JudgedImage) => stripVTControlCharacters(renderImage(about)).split('\n');

const allow: Verdicts[number] = {
  requirement: { name: 'trading/images, rule 2', policy: undefined, enforcement: 'enforce', kind: 'allow' },
  outcome: 'satisfied',
  reasons: ['allowed without a signature'],
  verdict: undefined,
};

test.each<[ImageDecision, string]>([
  ['verified', 'verified'],
  ['allowed', 'allowed, not verified'],
  ['denied', 'NOT VERIFIED'],
  ['no-policy', 'NOT VERIFIED'],
  ['unknown', 'NOT VERIFIED'],
])('an image that is %s is headed "%s"', (decision, head) => {
  expect(linesOf(judged(decision, [allow]))[0]).toBe(`${head}  ${image}`);
});

test('an image without a signature says which rule let it in', () => {
  expect(linesOf(judged('allowed', [allow]))).toEqual([
    `allowed, not verified  ${image}`,
    '  trading/images, rule 2: allowed without a signature',
  ]);
});

test('an image that no policy speaks about says so', () => {
  expect(linesOf(judged('no-policy'))[1]).toBe('  no policy speaks about it');
  expect(imageJson(judged('no-policy'))).toMatchObject({ ok: false, decision: 'no-policy' });
});

test('what only warns says so, and what others wrote cannot move the cursor', () => {
  const requirement = { ...allow.requirement, enforcement: 'warn', kind: 'deny', reasons: [] } as const;
  const verdict: Verdicts[number] = {
    ...{ requirement, outcome: 'unsatisfied', reasons: ['denied \u001b[2J'], verdict: undefined },
  };
  const text = renderImage(judged('allowed', [verdict]));
  expect(text).toContain('trading/images, rule 2 (only warn): denied ');
  expect(text).not.toContain('\u001b[2J');
  expect(imageJson(judged('allowed', [verdict])).requirements).toEqual([
    {
      ...{ name: 'trading/images, rule 2', enforcement: 'warn', action: 'deny', ok: false },
      ...{ outcome: 'unsatisfied', reasons: ['denied \u001b[2J'] },
    },
  ]);
});
