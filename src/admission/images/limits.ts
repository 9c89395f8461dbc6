// What judging images may cost the process that does it.

export interface ImageJudgeLimits {
  /** Of memory, for signatures that were found good. */
  readonly maxCacheBytes: number;
  /** How long they are remembered: so long an image that is known is admitted while its registry is away. */
  readonly cacheLifeMs: number;
  /** Of memory, for what is in indexes, and in which repositories they are not: where digests are revoked. */
  readonly maxContentsBytes: number;
  /** How long keys outside of policies are used before they are asked for again: those in a key management service may change. */
  readonly keyRefreshMs: number;
  /** Images that are fetched at the same time, each with up to `maxParallel` requests of VerificationLimits. */
  readonly maxParallelLooks: number;
  /** Of one registry: one that hangs leaves the others as much. */
  readonly maxLooksPerRegistry: number;
  /** For one tenant: a few of them, with registries that hang, leave the others theirs. */
  readonly maxLooksPerTenant: number;
  /** Of those, at one registry: when it hangs, the tenant's images of other registries go on. */
  readonly maxLooksPerTenantAndRegistry: number;
  /** For one object: one with many images leaves the tenant's others as much. */
  readonly maxLooksPerRequest: number;
  /** Sets of policies that are kept compiled; there is one for each namespace with policies of its own. */
  readonly maxPolicySets: number;
  /** Sets of credentials that are kept, and their bytes of memory. */
  readonly maxScopes: number;
  readonly maxScopeBytes: number;
}

export const defaultImageJudgeLimits: ImageJudgeLimits = {
  // Some six thousand images with a hybrid signature.
  maxCacheBytes: 64 * 1024 * 1024,
  cacheLifeMs: 60 * 60_000,
  maxContentsBytes: 16 * 1024 * 1024,
  keyRefreshMs: 5 * 60_000,
  maxParallelLooks: 32,
  maxLooksPerRegistry: 16,
  maxLooksPerTenant: 8,
  maxLooksPerTenantAndRegistry: 6,
  maxLooksPerRequest: 4,
  maxPolicySets: 1_000,
  maxScopes: 1_000,
  maxScopeBytes: 32 * 1024 * 1024,
};
