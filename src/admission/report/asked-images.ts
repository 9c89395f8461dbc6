// What registries were asked about in one namespace and round. Many pods have the same images: a registry that hangs takes the time of
// each pod that has its image, and what did not pass would be looked at again for every replica.

import { LRUCache } from 'lru-cache';
import type { Policy } from '../../model/mesh.ts';
import { formatReference } from '../../registry/reference.ts';
import type { ImageJudge, ImageQuestion } from '../images/image-judge.ts';
import type { JudgedImage } from '../images/judge-image.ts';

/** Of one pod. */
export interface PodImages {
  /** The same judge, which is not asked again about what has not passed before. */
  readonly through: (judge: ImageJudge) => ImageJudge;
  /** About how many images registries were asked by now. */
  readonly asked: () => number;
}

interface Known {
  readonly policies: readonly Policy[];
  /** Undefined: it has passed, or is asked about at the moment. */
  readonly notPassed: JudgedImage | undefined;
}

export class AskedImages {
  /** By who asked about what. */
  readonly #known: LRUCache<string, Known>;

  /** @param max images that are remembered; one that is forgotten is asked about again */
  constructor(max: number) {
    this.#known = new LRUCache({ max });
  }

  ofPod(): PodImages {
    let asked = 0;
    const onAsked = () => {
      asked += 1;
    };
    return {
      through: (judge) => ({
        ...judge,
        judge: async (question) => await this.#judge(judge, question, onAsked),
      }),
      asked: () => asked,
    };
  }

  async #judge(judge: ImageJudge, question: ImageQuestion, onAsked: () => void): Promise<JudgedImage> {
    const { reference, policies, credentials } = question;
    if (!judge.needsRegistry(reference, policies)) return await judge.judge(question);
    // Whoever makes pods chooses their credentials: bad ones of one pod must not speak for another.
    const key = `${credentials.scope} ${formatReference(reference)}`;
    const known = this.#known.get(key);
    const isKnown = known !== undefined && isSame(known.policies, policies);
    if (isKnown && known.notPassed !== undefined) return known.notPassed;
    if (!isKnown) {
      onAsked();
      // From here on: those who ask at the same time share one look.
      this.#known.set(key, { policies, notPassed: undefined });
    }
    const judged = await judge.judge(question);
    // What has passed the judge remembers itself, and looks at the time anew.
    const hasPassed = judged.requirements.every(({ outcome }) => outcome === 'satisfied');
    if (!hasPassed) this.#known.set(key, { policies, notPassed: withoutSignatures(judged) });
    return judged;
  }
}

/** Policies are replaced as a whole; an edit in the middle of a round holds from there on. */
function isSame(before: readonly Policy[], now: readonly Policy[]): boolean {
  return before.length === now.length && before.every((policy, index) => policy === now[index]);
}

/** Decisions need none of it, and whoever pushes signatures chooses how large they are. */
function withoutSignatures(judged: JudgedImage): JudgedImage {
  return {
    ...judged,
    requirements: judged.requirements.map((each) => ({ ...each, verdict: undefined })),
    ...{ signatures: [], counted: new Set() },
  };
}
