// The judge of images for a whole process. What it has learned serves all who ask: policies are compiled once, images that many ask
// about are looked at once, and signatures that were found good are remembered.

import { randomBytes } from 'node:crypto';
import type { Policy } from '../../model/mesh.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { formatReference } from '../../registry/reference.ts';
import { createRegistryTransport, type TransportOptions } from '../../registry/transport.ts';
import { SigningError } from '../../signing/errors.ts';
import { defaultVerificationLimits, type VerificationLimits } from '../../signing/verify/limits.ts';
import { createContentsCache } from './contents/contents-cache.ts';
import type { ImageJudge, ImageQuestion } from './image-judge.ts';
import { type JudgedImage, judgeImage } from './judge-image.ts';
import { defaultImageJudgeLimits, type ImageJudgeLimits } from './limits.ts';
import type { KeySources } from './policies/authorities.ts';
import { createCompiledSets } from './policies/compiled-sets.ts';
import { demandsBy, neededRequirements } from './policies/demands.ts';
import type { Usability } from './policies/usability.ts';
import { createConditionOutcomes } from './remembering/condition-outcomes.ts';
import { createExaminationCache } from './remembering/examination-cache.ts';
import { createFingerprints } from './remembering/fingerprint.ts';
import { rememberingVerifier } from './remembering/remembering-verifier.ts';
import { type ClientOf, createScopedClients } from './scoped-clients.ts';
import type { Asker } from './turns/asker.ts';
import { createGate } from './turns/gate.ts';
import { createLooks } from './turns/looks.ts';
import { createSharedTurns } from './turns/shared-turns.ts';
import { type Withheld, withholding } from './withholding.ts';

export interface ImageJudgeOptions {
  /** References come from whoever makes pods, so that none of them reaches this machine itself, whatever is said here. */
  readonly registry?: Omit<TransportOptions, 'loopbackRegistries' | 'now'>;
  readonly keySources: KeySources;
  readonly now: () => Date;
  readonly verification?: Partial<VerificationLimits>;
  readonly limits?: Partial<ImageJudgeLimits>;
  /** Where whoever asks is not whoever runs this: takes what only the latter should read. Without it reasons tell everything. */
  readonly withheld?: Withheld;
}

export interface ImageJudgeStats {
  /** Demands for signatures that were met by what was remembered, and all others. */
  readonly hits: number;
  readonly misses: number;
  /** What is remembered, and the bytes of memory for it. */
  readonly entries: number;
  readonly bytes: number;
  /** Images that are looked at now, those that wait for their turn included. */
  readonly looksUnderWay: number;
  /** Sent to registries so far. */
  readonly registryRequests: number;
}

export interface OwnedImageJudge extends ImageJudge {
  /**
   * Whether images can be judged by the policy. Looks up what it refers to in ConfigMaps; of keys in key management services it knows
   * what judging images has found out. @throws the reason of `signal`
   */
  usabilityOf(policy: Policy, signal: AbortSignal): Promise<Usability>;
  stats(): ImageJudgeStats;
  /** Closes connections; looks still under way fail. */
  close(): Promise<void>;
}

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function createImageJudge(options: ImageJudgeOptions): OwnedImageJudge {
  const { registry = {}, now } = options;
  const limits = { ...defaultImageJudgeLimits, ...options.limits };
  const { maxParallel } = { ...defaultVerificationLimits, ...options.verification };
  // The gate says who may ask, and in whose turn. A registry's own count of requests knows no tenants: where it could be used up, those
  // that hang for one would stop all others.
  const maxConcurrency = limits.maxParallelLooks * maxParallel;
  const transport = createRegistryTransport({
    ...{ ...registry, now, loopbackRegistries: false },
    limits: { ...registry.limits, maxConcurrency },
  });
  const clientOf = createScopedClients(transport, limits);
  const judge = imageJudgeOver(clientOf, options);
  return {
    ...judge,
    stats: () => ({ ...judge.stats(), registryRequests: transport.requests() }),
    close: () => transport.close(),
  };
}

/** As long as the digests that it is hashed with. */
const secretBytes = 32;

const anyone: Asker = { tenant: '', request: '' };

type JudgeOverClients = ImageJudge &
  Pick<OwnedImageJudge, 'usabilityOf'> & { stats(): Omit<ImageJudgeStats, 'registryRequests'> };

/** The same over any clients. */
export function imageJudgeOver(
  clientOf: ClientOf,
  options: Omit<ImageJudgeOptions, 'registry'>,
): JudgeOverClients {
  const { keySources, now, withheld } = options;
  const limits = { ...defaultImageJudgeLimits, ...options.limits };
  const verification = { ...defaultVerificationLimits, ...options.verification };
  const { keyRefreshMs, maxPolicySets, maxCacheBytes, cacheLifeMs } = limits;
  const { compiledOf, usabilityOf } = createCompiledSets({
    ...{ sources: keySources, keyRefreshMs, maxSets: maxPolicySets, now },
  });
  const outcomes = createConditionOutcomes();
  const cache = createExaminationCache({ maxBytes: maxCacheBytes, lifeMs: cacheLifeMs, now, outcomes });
  const gate = createGate(limits);
  const looks = createLooks({ limits: verification, gate, now });
  const contentsFor = createContentsCache({
    ...{ maxBytes: limits.maxContentsBytes, lifeMs: cacheLifeMs, gate, now },
    secret: randomBytes(secretBytes),
  });
  const fingerprintOf = createFingerprints();
  const shareResolution = createSharedTurns<Descriptor>(gate);
  const counts = { hit: 0, miss: 0 };

  /** What a tag names is shared by those who ask at the same time, and kept for nobody. */
  async function resolve(
    { reference, credentials, asker = anyone }: Omit<ImageQuestion, 'policies' | 'signal'>,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { registry } = reference;
    const key = `${credentials.scope} ${formatReference(reference)}`;
    return await shareResolution({ key, registry, asker, signal }, (shared) =>
      clientOf(credentials).resolve(reference, shared),
    );
  }

  async function judge(question: ImageQuestion, signal: AbortSignal): Promise<JudgedImage> {
    const { reference, policies, credentials, asker = anyone } = question;
    const client = clientOf(credentials);
    const visit = looks.visit(client, credentials.scope, asker);
    const count = (what: 'hit' | 'miss') => {
      counts[what] += 1;
    };
    try {
      const judged = await judgeImage(reference, neededRequirements(compiledOf(policies), reference), {
        verifier: rememberingVerifier({ cache, outcomes, fingerprintOf, visit, count }),
        client: {
          ...client,
          resolve: (ref, resolving = signal) => resolve({ ...question, reference: ref }, resolving),
        },
        contents: contentsFor(client, credentials.scope, asker),
        ...{ now, signal, endsInUnknown: true },
      });
      return withheld === undefined ? judged : withholding(judged, withheld);
    } finally {
      visit.leave();
    }
  }

  return {
    judge: (question) => withinTime(question.signal, (signal) => judge(question, signal)),
    ...demandsBy(compiledOf),
    usabilityOf,
    resolve: async (question) =>
      question.reference.digest ?? (await resolve(question, question.signal)).digest,
    stats: () => ({
      ...{ hits: counts.hit, misses: counts.miss },
      ...{ entries: cache.entries, bytes: cache.bytes, looksUnderWay: looks.underWay() },
    }),
  };
}

/** The end of the time as a reason that says what may have taken it. */
async function withinTime<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const time = new AbortController();
  const end = () =>
    time.abort(
      new SigningError(
        'ERR_VERIFICATION_DEADLINE',
        'the time for the answer is over: a registry or a key management service is slow or cannot be reached, or there is too much on the image',
        signal.reason,
      ),
    );
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    return await run(time.signal);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
