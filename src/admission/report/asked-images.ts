// What registries were asked about in one namespace and round. Many pods have the same images: a registry that hangs takes the time of
// each pod that has its image, and what did not pass would be looked at again for every replica.

import { LRUCache } from 'lru-cache';
import type { Policy } from '../../model/mesh.ts';
import { formatReference } from '../../registry/reference.ts';
import type { AdmissionDecision, FindingCode, ImageFinding } from '../decision.ts';
import type { ImageJudge, ImageQuestion } from '../images/image-judge.ts';
import type { JudgedImage } from '../images/judge-image.ts';

/** Of one pod. */
export interface PodImages {
  /** The same judge, which is not asked again about what has not passed before. */
  readonly through: (judge: ImageJudge) => ImageJudge;
  /** How many images of the decision a registry was asked about. */
  readonly asked: (decision: Pick<AdmissionDecision, 'images' | 'findings'>) => number;
}

interface Answer {
  readonly policies: readonly Policy[];
  readonly judged: JudgedImage;
}

export class AskedImages {
  /** By who asked about what. */
  readonly #notPassed: LRUCache<string, Answer>;
  /** As they are written; these are in the judge's own memory by now. */
  readonly #verified = new Set<string>();

  /** @param max images that did not pass and are remembered; one that is forgotten is asked about again */
  constructor(max: number) {
    this.#notPassed = new LRUCache({ max });
  }

  ofPod(): PodImages {
    let repeated = 0;
    const onRepeated = () => {
      repeated += 1;
    };
    return {
      through: (judge) => ({
        judge: async (question) => await this.#judge(judge, question, onRepeated),
        mustBeDigest: (...of) => judge.mustBeDigest(...of),
        needsRegistry: (...of) => judge.needsRegistry(...of),
        resolve: async (question) => await judge.resolve(question),
      }),
      asked: (decision) => Math.max(0, this.#count(decision) - repeated),
    };
  }

  async #judge(judge: ImageJudge, question: ImageQuestion, onRepeated: () => void): Promise<JudgedImage> {
    const { reference, policies, credentials } = question;
    // Whoever makes pods chooses their credentials: bad ones of one pod must not speak for another.
    const key = `${credentials.scope} ${formatReference(reference)}`;
    const before = this.#notPassed.get(key);
    if (before !== undefined && isSame(before.policies, policies)) {
      onRepeated();
      return before.judged;
    }
    const judged = await judge.judge(question);
    // What has passed the judge remembers itself, and looks at the time anew.
    const hasPassed = judged.requirements.every(({ outcome }) => outcome === 'satisfied');
    if (!hasPassed) this.#notPassed.set(key, { policies, judged: withoutSignatures(judged) });
    return judged;
  }

  #count({ images, findings }: Pick<AdmissionDecision, 'images' | 'findings'>): number {
    const lookedFor = new Set(findings.flatMap(({ code, field }) => (looks.has(code) ? [field] : [])));
    const costly = images
      .filter(({ decision, field }) => costs.has(decision) || lookedFor.has(field))
      .map(({ image }) => image);
    // An image is asked about once, however many containers have it.
    const count = [...new Set(costly)].filter((image) => !this.#verified.has(image)).length;
    for (const { decision, image } of images) if (decision === 'verified') this.#verified.add(image);
    return count;
  }
}

/** What no signature is demanded of costs nothing. */
const costs: ReadonlySet<ImageFinding['decision']> = new Set(['verified', 'denied', 'unknown']);

/** Found by a look at the registry, also where what is found is not enforced and the image is allowed. */
const looks: ReadonlySet<FindingCode> = new Set([
  'image-not-verified',
  'image-not-found',
  'image-unknown',
  'image-not-digest',
]);

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
