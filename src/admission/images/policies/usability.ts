// What of a policy cannot be used, found out before an image asks.

import type { Policy } from '../../../model/mesh.ts';
import { checkPolicy } from '../../../signing/verify/policy.ts';
import { policyAdvice } from '../../advice.ts';
import { isOfNoUse, noUse } from '../../no-use.ts';
import type { KeySources } from './authorities.ts';
import { requirementsByRule } from './compile-image-policies.ts';
import { KeyNotAskedError } from './key-not-asked.ts';
import type { TrustPool } from './trust-pool.ts';

export type Usability =
  | {
      readonly kind: 'usable';
      /** Of keys in key management services nothing is known until an image needs them. */
      readonly hasKmsKeys: boolean;
    }
  /** Sentences, by rule: the same that images are refused with. */
  | { readonly kind: 'unusable'; readonly problems: readonly string[] }
  /** Something that it refers to could not be looked up. */
  | { readonly kind: 'unknown'; readonly error: unknown };

/**
 * By itself: levels of other policies may leave out keysets that are looked at here.
 * @param sources their `kms` may throw KeyNotAskedError
 * @throws the reason of `signal`
 */
export async function usabilityOf(
  policy: Policy,
  {
    sources,
    pool,
    signal,
  }: { readonly sources: KeySources; readonly pool: TrustPool; readonly signal: AbortSignal },
): Promise<Usability> {
  const problems: string[] = [];
  let failure: { readonly error: unknown } | undefined;
  const over = new AbortController();
  const { lookups, hasKmsKeys } = inTurn(sources, AbortSignal.any([signal, over.signal]));
  // One after the other: nobody waits for it, and a policy can refer to a great deal.
  for (const requirement of requirementsByRule(policy, lookups, pool)) {
    if (requirement.kind !== 'verify') continue;
    try {
      checkPolicy(await requirement.verificationPolicy(signal));
    } catch (error) {
      signal.throwIfAborted();
      if (isOfNoUse(error)) {
        problems.push(noUse(requirement.name, error.message, requirement.enforcement, policyAdvice));
      } else if (!(error instanceof KeyNotAskedError)) failure ??= { error };
    }
  }
  // What a rule that is wrong would have looked up still.
  over.abort();
  if (problems.length > 0) return { kind: 'unusable', problems };
  if (failure !== undefined) return { kind: 'unknown', ...failure };
  return { kind: 'usable', hasKmsKeys: hasKmsKeys() };
}

/** ConfigMaps one after the other, each entry once: of several that are wrong it is always the same one that is told of. */
function inTurn(sources: KeySources, over: AbortSignal) {
  const found = new Map<string, Promise<Uint8Array | undefined>>();
  let last: Promise<unknown> = Promise.resolve();
  let asksKms = false;
  const lookups: KeySources = {
    kms: (uri, signal) => {
      asksKms = true;
      return sources.kms(uri, signal);
    },
    configMap: (namespace, name, key) => {
      const id = `${namespace}/${name}/${key}`;
      const ask = async () => {
        over.throwIfAborted();
        return await sources.configMap(namespace, name, key, over);
      };
      const asked = found.get(id) ?? last.then(ask, ask);
      found.set(id, asked);
      last = asked;
      return asked;
    },
  };
  return { lookups, hasKmsKeys: () => asksKms };
}
