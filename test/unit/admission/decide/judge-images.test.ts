import { beforeEach, describe, expect, test, vi } from 'vitest';
import { clusterAdvice } from '../../../../src/admission/advice.ts';
import { type ImagesQuestion, judgeImages } from '../../../../src/admission/decide/judge-images.ts';
import type { ImageQuestion } from '../../../../src/admission/images/image-judge.ts';
import type { ImageUse } from '../../../../src/admission/pod/images.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { policyOf, rule, signedRegistry } from '../images/support.ts';
import { judgeOver } from './support.ts';

const { parsed } = vi.hoisted(() => ({ parsed: [] as string[] }));

vi.mock('../../../../src/registry/reference.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../../src/registry/reference.ts')>();
  return {
    ...original,
    parseReference: (text: string) => {
      parsed.push(text);
      return original.parseReference(text);
    },
  };
});

let asked: ImageQuestion[];
beforeEach(() => {
  asked = [];
});

const use = (text: string | undefined, index: number): ImageUse => ({
  ...{ list: 'containers', name: `c${index}`, field: `spec.containers[${index}].image` },
  text,
});

async function judge(texts: readonly (string | undefined)[], changes: Partial<ImagesQuestion> = {}) {
  const over = judgeOver(signedRegistry());
  parsed.length = 0;
  return await judgeImages({
    asker: { tenant: 'trading', request: 'r' },
    images: texts.map(use),
    kind: 'pod',
    policies: [policyOf({ images: [rule({ match: ['**'], action: 'allow' })] })],
    advice: clusterAdvice,
    judge: {
      ...over,
      judge: async (question) => {
        asked.push(question);
        return await over.judge(question);
      },
    },
    credentials: async () => ({ scope: 'tests', source: anonymous }),
    signal: new AbortController().signal,
    ...changes,
  });
}

describe('an object with more images than are judged', () => {
  test('is refused before any of them is read', async () => {
    const texts = Array.from({ length: 40_000 }, (_, index) => `registry.example/app:${index}`);
    await expect(judge(texts)).rejects.toThrow(/it has 40000 different images/);
    await expect(judge(texts, { kind: 'template' })).rejects.toThrow(/it has 40000 different images/);
    expect(parsed).toEqual([]);
    expect(asked).toEqual([]);
  });

  test('may have blanks in its template beside them', async () => {
    const texts = Array.from({ length: 200 }, (_, index) => `registry.example/app:${index}`);
    const blank = ['', ' ', '\t', undefined];
    const { images } = await judge([...texts, ...blank], { kind: 'template' });
    expect(images).toHaveLength(200);
    await expect(judge([...texts, ...blank])).rejects.toThrow(/it has 203 different images/);
  });
});

test('one image in many places is read once, and told of each of them', async () => {
  const texts = Array.from({ length: 5_000 }, () => 'registry.example/app:1');
  const { images } = await judge(texts);
  expect(images).toHaveLength(5_000);
  expect(parsed).toHaveLength(1);
  expect(asked).toHaveLength(1);
});

test('registries are asked in the turn of whoever wants the object', async () => {
  await judge(['registry.example/a', 'registry.example/b']);
  expect(asked.map(({ asker }) => asker)).toEqual([
    { tenant: 'trading', request: 'r' },
    { tenant: 'trading', request: 'r' },
  ]);
});
