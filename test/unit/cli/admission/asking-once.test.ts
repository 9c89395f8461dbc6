import { expect, test } from 'vitest';
import type { ImageQuestion } from '../../../../src/admission/images/image-judge.ts';
import { askingOnce } from '../../../../src/cli/admission/asking-once.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { formatReference, parseReference } from '../../../../src/registry/reference.ts';
import { policyOf } from '../../admission/images/support.ts';

const [first, second] = ['a', 'b'].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest];

/** The tag names something else each time that it is looked up. */
function judge() {
  const asked: string[] = [];
  const digests = [first, second];
  let isDown = false;
  const once = askingOnce({
    judge: async ({ reference }) => {
      const image = formatReference(reference);
      asked.push(`judge ${image}`);
      const digest = isDown ? undefined : (reference.digest ?? digests.shift());
      const outcome = isDown ? ('unknown' as const) : ('satisfied' as const);
      const requirement = { name: 'r', policy: undefined, enforcement: 'enforce', kind: 'allow' } as const;
      const verdict = { requirement, reasons: [], verdict: undefined, outcome, error: undefined };
      const decision = isDown ? ('unknown' as const) : ('allowed' as const);
      return {
        image,
        digest,
        decision,
        ok: !isDown,
        requirements: [verdict],
        signatures: [],
        counted: new Set(),
      };
    },
    mustBeDigest: () => true,
    needsRegistry: () => true,
    resolve: async ({ reference }) => {
      asked.push(`resolve ${formatReference(reference)}`);
      return digests.shift() ?? first;
    },
  });
  const goDown = (down: boolean) => {
    isDown = down;
  };
  return { once, asked, goDown };
}

function question(text: string, policies = [policyOf()]): ImageQuestion {
  return {
    reference: parseReference(text),
    policies,
    credentials: { scope: 'user', source: anonymous },
    signal: new AbortController().signal,
  };
}

const tag = 'registry.example/app:v1';

test('an image is judged once for the same policies, and for others again', async () => {
  const { once, asked } = judge();
  const answers = [await once.judge(question(tag)), await once.judge(question(tag))];
  expect(answers.map(({ digest }) => digest)).toEqual([first, first]);
  expect(asked).toEqual([`judge ${tag}`]);
  await once.judge(question(tag, [policyOf({}, 'other')]));
  expect(asked).toHaveLength(2);
});

test('a tag that moves meanwhile names what it named at first, whoever looked it up', async () => {
  const resolvedFirst = judge();
  expect(await resolvedFirst.once.resolve(question(tag))).toBe(first);
  expect(await resolvedFirst.once.resolve(question(tag))).toBe(first);
  expect((await resolvedFirst.once.judge(question(tag))).digest).toBe(first);
  expect(resolvedFirst.asked).toEqual([`resolve ${tag}`, `judge ${tag}@${first}`]);

  const judgedFirst = judge();
  await judgedFirst.once.judge(question(tag));
  expect(await judgedFirst.once.resolve(question(tag))).toBe(first);
  await judgedFirst.once.judge(question(tag, [policyOf({}, 'other')]));
  expect(judgedFirst.asked).toEqual([`judge ${tag}`, `judge ${tag}@${first}`]);
});

test('what could not be asked is asked again', async () => {
  const { once, asked, goDown } = judge();
  goDown(true);
  expect((await once.judge(question(tag))).ok).toBe(false);
  goDown(false);
  expect((await once.judge(question(tag))).ok).toBe(true);
  expect(asked).toHaveLength(2);
});
