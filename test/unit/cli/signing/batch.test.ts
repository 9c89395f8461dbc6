import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { forEachImage, maxImagesAtOnce } from '../../../../src/cli/signing/batch.ts';

const images = Array.from({ length: 20 }, (_, index) => `image-${index}`);
const named = new Map(images.map((image) => [image, image]));

test('gives every outcome in the order of the images, whatever fails and whoever is quick', async () => {
  const done: string[] = [];
  let ended = 0;
  const outcomes = await forEachImage(
    named,
    async (image) => {
      await sleep(image.endsWith('3') ? 5 : 0);
      if (image.endsWith('7')) throw new Error(image);
      return image.length;
    },
    { done: (image) => done.push(image), end: () => (ended += 1) },
  );
  expect(outcomes.map(({ image }) => image)).toEqual(images);
  expect(outcomes.filter((outcome) => 'error' in outcome).map(({ image }) => image)).toEqual([
    'image-7',
    'image-17',
  ]);
  expect([done.toSorted(), ended]).toEqual([images.toSorted(), 1]);
});

test('never works on more images at once than it may', async () => {
  let [working, most] = [0, 0];
  await forEachImage(
    named,
    async () => {
      working += 1;
      most = Math.max(most, working);
      await sleep(1);
      working -= 1;
    },
    { done: () => undefined, end: () => undefined },
  );
  expect(most).toBe(maxImagesAtOnce);
});
