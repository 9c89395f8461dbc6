import { beforeEach, describe, expect, test } from 'vitest';
import { imageJudgeOver } from '../../../../src/admission/images/create-image-judge.ts';
import type { ImageJudge } from '../../../../src/admission/images/image-judge.ts';
import type { ImageDecision, JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { AskedImages, type PodImages } from '../../../../src/admission/report/asked-images.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { formatReference, parseReference } from '../../../../src/registry/reference.ts';
import type { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { now } from '../../signing/verify/support.ts';
import { signedImage, unsignedImage } from '../decide/support.ts';
import { policyOf, rule, signedRegistry } from '../images/support.ts';

const policy = policyOf();
const { signal } = new AbortController();

async function askAs(
  pod: PodImages,
  judge: ImageJudge,
  { name = 'registry.example/a', scope = 'team', policies = [policy] as readonly Policy[] } = {},
): Promise<JudgedImage> {
  const credentials = { scope, source: anonymous };
  return await pod.through(judge).judge({ reference: parseReference(name), policies, credentials, signal });
}

describe('memory', () => {
  let asked: string[];
  let answers: (name: string) => JudgedImage;

  const images: ImageJudge = {
    judge: async ({ reference, credentials }) => {
      const name = formatReference(reference);
      asked.push(`${credentials.scope} ${name}`);
      return answers(name);
    },
    mustBeDigest: (reference) => formatReference(reference).includes('covered'),
    needsRegistry: (reference) => !formatReference(reference).includes('free'),
    resolve: () => Promise.resolve('sha256:0'),
  };

  function judgedAs(
    decided: ImageDecision,
    ...outcomes: readonly ('satisfied' | 'unsatisfied' | 'unknown')[]
  ): JudgedImage {
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

  const ask = async (known: AskedImages, question?: Parameters<typeof askAs>[2]) =>
    await askAs(known.ofPod(), images, question);

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
    answers = () => judgedAs('denied', 'unsatisfied');
    expect(await ask(known)).toMatchObject({ decision: 'denied' });
    expect(asked).toHaveLength(2);
    // And is remembered from then on.
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
    const pod = known.ofPod();
    await askAs(pod, images, other);
    expect(asked).toHaveLength(2);
    expect(pod.asked()).toBe(1);
  });

  test('holds no signatures, and so many images', async () => {
    const known = new AskedImages(2);
    answers = () => judgedAs('denied', 'unsatisfied');
    await ask(known);
    const { signatures, counted, requirements } = await ask(known);
    expect([signatures, counted.size, requirements[0]?.verdict]).toEqual([[], 0, undefined]);
    await ask(known, { name: 'registry.example/b' });
    // No room is taken by what costs nothing.
    for (const name of ['free', 'free:2', 'free:3']) await ask(known, { name: `registry.example/${name}` });
    await ask(known);
    expect(asked.filter((name) => name.endsWith('/a:latest'))).toHaveLength(1);
    await ask(known, { name: 'registry.example/c' });
    await ask(known, { name: 'registry.example/d' });
    await ask(known);
    expect(asked.filter((name) => name.endsWith('/a:latest'))).toHaveLength(2);
  });

  test('those who ask at the same time share one look, and are counted once', async () => {
    const known = new AskedImages(10);
    const pods = [known.ofPod(), known.ofPod(), known.ofPod()];
    await Promise.all(pods.map((pod) => askAs(pod, images)));
    expect(pods.map((pod) => pod.asked())).toEqual([1, 0, 0]);
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
});

describe('what is counted is what a registry was asked about', () => {
  let registry: FakeRegistry;
  let judge: ImageJudge;
  beforeEach(() => {
    registry = signedRegistry();
    judge = imageJudgeOver(() => registry.client, {
      keySources: { kms: () => Promise.reject(new Error('none')), configMap: async () => undefined },
      now: () => now,
    });
  });

  const signed = policyOf();
  const denying = policyOf({ images: [rule({ action: 'deny' })] }, 'denying');
  const allowing = policyOf({ images: [rule({ action: 'allow' })] }, 'allowing');
  const auditing = policyOf({ images: [rule()], enforcement: 'audit' }, 'auditing');
  const revoking = policyOf({ revoked: { digests: [`sha256:${'00'.repeat(32)}`] } }, 'revoking');

  test.each<[string, string, readonly Policy[], ImageDecision, number]>([
    ['is verified', signedImage, [signed], 'verified', 1],
    ['is not verified', unsignedImage, [signed], 'denied', 1],
    ['is not verified, which is only recorded', unsignedImage, [auditing], 'allowed', 1],
    ['is allowed, where other digests are revoked', signedImage, [allowing, revoking], 'allowed', 1],
    ['is of no policy, where other digests are revoked', signedImage, [revoking], 'no-policy', 1],
    ['is allowed', signedImage, [allowing], 'allowed', 0],
    ['is denied by a rule', signedImage, [denying], 'denied', 0],
    ['is denied by a rule, and would be verified', signedImage, [denying, signed], 'denied', 0],
    ['is of no policy', signedImage, [], 'no-policy', 0],
  ])('of an image that %s', async (_what, name, policies, decision, expected) => {
    const known = new AskedImages(10);
    const [first, second] = [known.ofPod(), known.ofPod()];
    expect(await askAs(first, judge, { name, policies })).toMatchObject({ decision });
    expect(first.asked()).toBe(expected);
    expect(registry.requests() > 0).toBe(expected > 0);
    const before = registry.requests();
    // Another pod of the same.
    expect(await askAs(second, judge, { name, policies })).toMatchObject({ decision });
    expect(second.asked()).toBe(0);
    expect(registry.requests()).toBe(before);
  });
});
