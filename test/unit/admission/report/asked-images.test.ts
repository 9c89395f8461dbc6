import { beforeEach, expect, test } from 'vitest';
import type { ImageJudge } from '../../../../src/admission/images/image-judge.ts';
import type { ImageDecision, JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { AskedImages } from '../../../../src/admission/report/asked-images.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { formatReference, parseReference } from '../../../../src/registry/reference.ts';
import { policyOf } from '../images/support.ts';
import { decision, finding, image } from './support.ts';

const policy = policyOf();
const { signal } = new AbortController();

let asked: string[];
let answers: (name: string) => JudgedImage;

const images: ImageJudge = {
  judge: async ({ reference, credentials }) => {
    const name = formatReference(reference);
    asked.push(`${credentials.scope} ${name}`);
    return answers(name);
  },
  mustBeDigest: (reference) => formatReference(reference).includes('covered'),
  needsRegistry: (reference) => formatReference(reference).includes('covered'),
  resolve: () => Promise.resolve('sha256:0'),
};

function judgedAs(decided: ImageDecision, ...outcomes: readonly ('satisfied' | 'unsatisfied' | 'unknown')[]) {
  const signatures = Array.from({ length: 128 }, () => ({ reason: 'junk' }));
  return {
    ...{ image: 'x', decision: decided, ok: decided === 'verified', digest: undefined },
    requirements: outcomes.map((outcome) => ({ outcome, reasons: ['because'], verdict: { signatures } })),
    ...{ signatures, counted: new Set(['sha256:0']) },
  } as unknown as JudgedImage;
}

beforeEach(() => {
  asked = [];
  answers = () => judgedAs('unknown', 'unknown');
});

async function ask(
  known: AskedImages,
  { name = 'registry.example/a', scope = 'team', policies = [policy] as readonly Policy[] } = {},
): Promise<JudgedImage> {
  const credentials = { scope, source: anonymous };
  const judge = known.ofPod().through(images);
  return await judge.judge({ reference: parseReference(name), policies, credentials, signal });
}

test.each([
  ['what could not be found out', judgedAs('unknown', 'unknown')],
  ['what did not pass', judgedAs('denied', 'unsatisfied')],
  ['what is let in although it did not pass', judgedAs('allowed', 'satisfied', 'unsatisfied')],
])('%s is not asked about again', async (_what, answer) => {
  answers = () => answer;
  const known = new AskedImages(10);
  const first = await ask(known);
  const second = await ask(known);
  expect(asked).toHaveLength(1);
  expect(second.decision).toBe(first.decision);
  expect(second.requirements.map(({ reasons }) => reasons)).toEqual(
    first.requirements.map(({ reasons }) => reasons),
  );
});

test('what has passed is left to the judge, which looks at the time anew', async () => {
  answers = () => judgedAs('verified', 'satisfied');
  const known = new AskedImages(10);
  await ask(known);
  await ask(known);
  expect(asked).toHaveLength(2);
});

test.each([
  ['other credentials: bad ones of one pod do not speak for another', { scope: 'others' }],
  ['another image', { name: 'registry.example/a:2' }],
  ['policies that were edited meanwhile', { policies: [policyOf()] }],
  ['one policy more', { policies: [policy, policyOf()] }],
])('%s is another question', async (_what, other) => {
  const known = new AskedImages(10);
  await ask(known);
  await ask(known, other);
  expect(asked).toHaveLength(2);
});

test('remembers no signatures, and so many images', async () => {
  const known = new AskedImages(2);
  answers = () => judgedAs('denied', 'unsatisfied');
  await ask(known);
  const { signatures, counted, requirements } = await ask(known);
  expect([signatures, counted.size, requirements[0]?.verdict]).toEqual([[], 0, undefined]);
  await ask(known, { name: 'registry.example/b' });
  await ask(known, { name: 'registry.example/c' });
  await ask(known);
  expect(asked.filter((name) => name.endsWith('/a:latest'))).toHaveLength(2);
});

test('all else is asked of the judge', async () => {
  const judge = new AskedImages(10).ofPod().through(images);
  const [covered, free] = ['registry.example/covered', 'registry.example/free'].map(parseReference);
  if (covered === undefined || free === undefined) throw new Error('no references');
  expect([covered, free].map((each) => judge.mustBeDigest(each, []))).toEqual([true, false]);
  expect([covered, free].map((each) => judge.needsRegistry(each, []))).toEqual([true, false]);
  const credentials = { scope: 'team', source: anonymous };
  expect(await judge.resolve({ reference: covered, credentials, signal })).toBe('sha256:0');
});

test('counts what a registry was asked about: each image once', () => {
  const known = new AskedImages(10);
  const found = (['verified', 'denied', 'unknown', 'allowed', 'no-policy', 'invalid'] as const).map(
    (each, index) => image({ image: each, decision: each, field: `spec.containers[${index}].image` }),
  );
  const again = image({ image: 'denied', decision: 'denied', field: 'spec.containers[9].image' });
  expect(known.ofPod().asked(decision([], { images: [...found, again] }))).toBe(3);
  // What is verified is known by now.
  expect(known.ofPod().asked(decision([], { images: found }))).toBe(2);
});

test.each(['image-not-verified', 'image-unknown', 'image-not-digest'] as const)(
  'counts images that are let in with %s: under a policy that only warns as many are asked about',
  (code) => {
    const { field } = image();
    const found = decision([finding({ code, enforcement: 'audit', field })], {
      images: [image({ decision: 'allowed' })],
    });
    expect(new AskedImages(10).ofPod().asked(found)).toBe(1);
  },
);

test('does not count what was answered from memory', async () => {
  const known = new AskedImages(10);
  await ask(known);
  const second = known.ofPod();
  const credentials = { scope: 'team', source: anonymous };
  const reference = parseReference('registry.example/a');
  await second.through(images).judge({ reference, policies: [policy], credentials, signal });
  const found = decision([], { images: [image({ image: 'a', decision: 'unknown' })] });
  expect(second.asked(found)).toBe(0);
  expect(known.ofPod().asked(found)).toBe(1);
});
