// The images of an object, all at once, each one once.

import type { Policy } from '../../model/mesh.ts';
import { anonymous } from '../../registry/auth/credentials.ts';
import { RegistryError } from '../../registry/errors.ts';
import {
  formatReference,
  type ImageReference,
  isQualified,
  parseReference,
} from '../../registry/reference.ts';
import type { Advice } from '../advice.ts';
import type { Finding, ImageFinding } from '../decision.ts';
import { AdmissionError } from '../errors.ts';
import type { ImageJudge, ImageQuestion, PullCredentials } from '../images/image-judge.ts';
import type { JudgedImage } from '../images/judge-image.ts';
import { namingPolicies } from '../images/policies/demands.ts';
import { type ImageUse, maxImages } from '../pod/images.ts';
import {
  failureFinding,
  invalidFinding,
  judgementFindings,
  notDigestFinding,
  notQualifiedFinding,
  type Place,
} from './image-findings.ts';

export interface ImagesQuestion {
  readonly asker: NonNullable<ImageQuestion['asker']>;
  readonly images: readonly ImageUse[];
  readonly kind: 'pod' | 'template';
  /** All that hold for the namespace. */
  readonly policies: readonly Policy[];
  readonly advice: Advice;
  readonly judge: ImageJudge;
  /** @throws whatever it likes: it matters to the images alone that need a registry */
  readonly credentials: () => Promise<PullCredentials>;
  readonly signal: AbortSignal;
}

export interface JudgedImages {
  readonly findings: readonly Finding[];
  /** For every use, in the order of the object. */
  readonly images: readonly ImageFinding[];
}

/** @throws AdmissionError ERR_POD_INVALID for more images than are judged */
export async function judgeImages(question: ImagesQuestion): Promise<JudgedImages> {
  const named = readUses(question);
  // Of several places the first one is named.
  const distinct = [...Map.groupBy(named, ({ key }) => key).values()].flatMap(([first]) => first ?? []);
  const outcomes = await judgeEach(distinct, question);
  return {
    findings: [...outcomes.values()].flatMap(({ findings }) => findings),
    images: named.flatMap(({ key, use: { field, text: image = '' } }) => {
      const { decision, digest } = outcomes.get(key) ?? {};
      return decision === undefined ? [] : [{ image, field, decision, digest }];
    }),
  };
}

/** A manifest may name an image some ten thousand times: what cannot be judged is refused before anything of it is read. */
function readUses({ images, kind }: ImagesQuestion): readonly NamedImage[] {
  const uses = images.filter(({ text = '' }) => kind === 'pod' || !isOthersAffair(text));
  const count = new Set(uses.map(({ text = '' }) => text)).size;
  if (count > maxImages) {
    throw new AdmissionError(
      'ERR_POD_INVALID',
      `it has ${count} different images, and no more than ${maxImages} are judged at once; use fewer`,
    );
  }
  const known = new Map<string, ReadImage>();
  return uses.map((use) => {
    const { field, text = '' } = use;
    const read = known.get(text) ?? readImage(text);
    known.set(text, read);
    return { ...read, use, place: { field, text } };
  });
}

/**
 * Of a template: there is no image, and need not be. Some controllers keep a blank there (validation.go, validateContainerCommon);
 * something will put one into the template's pods, and is judged then. A pod has to have one.
 */
function isOthersAffair(text: string): boolean {
  return text.trim() === '';
}

interface Outcome {
  readonly findings: readonly Finding[];
  readonly decision: ImageFinding['decision'];
  readonly digest: string | undefined;
}

/** The same image has the same key. */
type ReadImage = { readonly key: string } & (
  | { readonly kind: 'valid'; readonly reference: ImageReference }
  | { readonly kind: 'invalid'; readonly reason: string }
);

/** What is written at one place. */
type NamedImage = ReadImage & { readonly use: ImageUse; readonly place: Place };

function readImage(text: string): ReadImage {
  try {
    const reference = parseReference(text);
    // Of a short name there is more to say.
    const key = `${isQualified(text) ? '' : 'short '}${formatReference(reference)}`;
    return { kind: 'valid', key, reference };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { kind: 'invalid', key: `invalid ${text}`, reason: error.message };
  }
}

async function judgeEach(
  images: readonly NamedImage[],
  question: ImagesQuestion,
): Promise<ReadonlyMap<string, Outcome>> {
  let shared: Promise<PullCredentials> | undefined;
  const credentialsFor = async (reference: ImageReference): Promise<PullCredentials> => {
    if (!question.judge.needsRegistry(reference, question.policies)) return nobody;
    shared ??= credentialsOrFailure(question);
    return await shared;
  };
  const judgeImage = async (image: NamedImage): Promise<Outcome> => {
    if (image.kind === 'valid') return await judgeOne(image, question, credentialsFor);
    const findings = [invalidFinding(image.use, image.reason, question.policies)];
    return { findings, decision: 'invalid', digest: undefined };
  };
  const outcomes = images.map(async (image) => [image.key, await judgeImage(image)] as const);
  return new Map(await Promise.all(outcomes));
}

const nobody: PullCredentials = { scope: 'nobody', source: anonymous };

/** Credentials that cannot be had are a failure of the images that need them, and when they do. */
async function credentialsOrFailure({ asker, credentials }: ImagesQuestion): Promise<PullCredentials> {
  try {
    return await credentials();
  } catch (error) {
    return {
      // Shared with nobody: another question at the same time may have credentials.
      scope: `failed ${asker.request}`,
      source: async () => {
        throw error;
      },
    };
  }
}

async function judgeOne(
  { reference, place }: Extract<NamedImage, { kind: 'valid' }>,
  question: ImagesQuestion,
  credentialsFor: (reference: ImageReference) => Promise<PullCredentials>,
): Promise<Outcome> {
  const { policies, judge, asker, signal } = question;
  let judged: JudgedImage;
  try {
    const credentials = await credentialsFor(reference);
    judged = await judge.judge({ reference, policies, credentials, asker, signal });
  } catch (error) {
    const findings = [failureFinding(place, error, question)];
    return { findings, decision: 'unknown', digest: undefined };
  }
  const findings = judgementFindings(place, judged, question);
  const { decision, digest } = judged;
  // What is not there needs no better name; it is denied as it is.
  const isMissing = findings.some(
    ({ code, enforcement }) => code === 'image-not-found' && enforcement === 'enforce',
  );
  const naming = isMissing ? undefined : namingFinding(place, reference, judged, question);
  return { findings: [...(naming === undefined ? [] : [naming]), ...findings], decision, digest };
}

/** What is wrong with how the image is named, although its name says which one is judged. */
function namingFinding(
  place: Place,
  reference: ImageReference,
  judged: JudgedImage,
  question: ImagesQuestion,
): Finding | undefined {
  const { policies, judge } = question;
  if (reference.digest === undefined && judge.mustBeDigest(reference, policies)) {
    return notDigestFinding(place, reference, judged, question);
  }
  if (isQualified(place.text) || namingPolicies(policies).length === 0) return undefined;
  // What was verified is the same wherever it comes from; what is allowed without, is so because of where it is.
  const isVerified = reference.digest !== undefined && !isAllowedByName(judged);
  return isVerified ? undefined : notQualifiedFinding(place, reference, question);
}

function isAllowedByName({ requirements }: JudgedImage): boolean {
  return requirements.some(
    ({ requirement: { kind, enforcement } }) => kind === 'allow' && enforcement === 'enforce',
  );
}
