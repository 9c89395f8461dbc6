import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { ImageDecision, JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { imageJson, renderImage } from '../../../../src/cli/signing/render-verdict.ts';

const image = 'registry.example/trading/app:v1';
type Verdicts = JudgedImage['requirements'];
const judged = (decision: ImageDecision, requirements: Verdicts = []): JudgedImage => ({
  ...{ image, decision, ok: decision === 'verified' || decision === 'allowed' },
  ...{ digest: undefined, requirements, signatures: [], counted: new Set() },
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

test('only signatures that counted are told of as signatures', () => {
  const report = (digit: string, ok: boolean) => ({
    ...{ manifest: `sha256:${digit.repeat(64)}` as const, size: 1, ok, code: 'valid' as const, reason: '' },
    ...{ predicateType: 'https://sigstore.dev/cosign/sign/v1', binding: undefined, identity: undefined },
    ...{ algorithm: 'ML-DSA-65' as const, spkiSha256: digit.repeat(64), claimed: {}, annotations: {} },
  });
  const signatures = [report('a', true), report('b', true), report('c', false)];
  const counted = new Set([
    signatures[0]?.manifest ?? 'sha256:0',
    signatures[2]?.manifest ?? 'sha256:0',
  ] as const);
  const lines = linesOf({ ...judged('verified', [allow]), signatures, counted });
  expect(lines.filter((line) => line.includes('signed by'))).toEqual([
    `  signed by ML-DSA-65 key ${'a'.repeat(64)}`,
  ]);
});
