// What the API server's own admission plugins add to every container of a pod, the sidecar too. That much and no more may differ
// from what was rendered; nothing of it reaches what the sidecar runs, as whom, or what else can reach it.

import { isRecord } from '../../model/manifest.ts';
import type { JsonObject } from './pod-object.ts';

/** The container less what plugins added. What is not exactly theirs stays, and so shows as a difference. */
export function withoutAdditions(container: JsonObject, expected: JsonObject): JsonObject {
  return {
    ...container,
    imagePullPolicy: withoutAlwaysPull(container['imagePullPolicy'], expected['imagePullPolicy']),
    resources: withoutDefaults(container['resources'], expected['resources']),
  };
}

/** AlwaysPullImages. The image is a digest, so it is the same one. */
function withoutAlwaysPull(found: unknown, expected: unknown): unknown {
  return found === 'Always' ? expected : found;
}

/**
 * LimitRanger gives a container the default of each resource that it does not speak of. Extended resources (a name with a domain)
 * are devices: those stay.
 */
function withoutDefaults(found: unknown, expected: unknown): unknown {
  if (!isRecord(found) || !isRecord(expected)) return found;
  const cleaned = Object.entries(found).map(([kind, amounts]) => {
    const own = expected[kind];
    if (!isRecord(amounts) || !isRecord(own)) return [kind, amounts];
    const kept = Object.entries(amounts).filter(
      ([resource]) => Object.hasOwn(own, resource) || resource.includes('/'),
    );
    return [kind, Object.fromEntries(kept)];
  });
  return Object.fromEntries(cleaned);
}
