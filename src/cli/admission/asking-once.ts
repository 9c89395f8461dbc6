// One answer for each image of a command, however many objects use it: what a tag names does not change between two of them.

import type { ImageJudge, ImageQuestion } from '../../admission/images/image-judge.ts';
import type { JudgedImage } from '../../admission/images/judge-image.ts';
import { namespacedName } from '../../model/mesh.ts';
import type { Digest } from '../../registry/digest.ts';
import { formatReference, type ImageReference } from '../../registry/reference.ts';

/** For policies and credentials that stay as they are. What could not be asked is asked again. */
export function askingOnce(judge: ImageJudge): ImageJudge {
  const judged = new Map<string, JudgedImage>();
  const digests = new Map<string, Digest>();
  /** As it was named when it was looked up first. */
  const pinned = (reference: ImageReference): ImageReference => {
    const digest = reference.digest ?? digests.get(formatReference(reference));
    return digest === undefined ? reference : { ...reference, digest };
  };
  return {
    ...judge,
    judge: async (question) => {
      const { policies } = question;
      const reference = pinned(question.reference);
      const known = judged.get(keyOf(reference, policies));
      if (known !== undefined) return known;
      const answer = await judge.judge({ ...question, reference });
      const { digest, requirements } = answer;
      if (digest !== undefined) digests.set(formatReference(reference), digest);
      const isKnown = requirements.every(({ outcome }) => outcome !== 'unknown');
      if (isKnown) judged.set(keyOf(pinned(reference), policies), answer);
      return answer;
    },
    resolve: async (question) => {
      const { digest } = pinned(question.reference);
      if (digest !== undefined) return digest;
      const found = await judge.resolve(question);
      digests.set(formatReference(question.reference), found);
      return found;
    },
  };
}

function keyOf(reference: ImageReference, policies: ImageQuestion['policies']): string {
  return [formatReference(reference), ...policies.map(namespacedName)].join(' ');
}
