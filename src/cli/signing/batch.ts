// The same work for several images: some at a time, all of them to their end, told while it goes on.

import type { Progress } from './progress.ts';

/** What became of one image. */
export type Outcome<T> =
  | { readonly image: string; readonly value: T }
  | { readonly image: string; readonly error: unknown };

/** Enough to hide the registry's latency; what it costs here is a few milliseconds of CPU an image. */
export const maxImagesAtOnce = 8;

/**
 * Runs `work` for every image and returns the outcomes in the order of the images. One that fails does not stop the others:
 * in CI one wants to hear about all of them.
 * @param images what to work on, by what it is called
 */
export async function forEachImage<I, T>(
  images: ReadonlyMap<string, I>,
  work: (item: I) => Promise<T>,
  progress: Progress,
): Promise<readonly Outcome<T>[]> {
  const outcomes = new Array<Outcome<T>>(images.size);
  const waiting = [...images].entries();
  const worker = async () => {
    for (const [index, [image, item]] of waiting) {
      outcomes[index] = await outcome(image, () => work(item));
      progress.done(image);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(maxImagesAtOnce, images.size) }, worker));
  } finally {
    progress.end();
  }
  return outcomes;
}

async function outcome<T>(image: string, work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { image, value: await work() };
  } catch (error) {
    return { image, error };
  }
}
