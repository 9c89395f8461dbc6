// Tags become digests, and short names full ones: what was judged is what runs, although the tag may have moved by the time the kubelet
// pulls, and a runtime may look for a name without a registry where it likes.

import { formatReference, isQualified, parseReference } from '../../registry/reference.ts';
import type { ImageJudge, ImageQuestion, PullCredentials } from '../images/image-judge.ts';
import { namingPolicies } from '../images/policies/demands.ts';
import { type ImageUse, maxImages } from '../pod/images.ts';
import type { JsonPatch } from './json-patch.ts';

export interface Pinning {
  readonly judge: Pick<ImageJudge, 'mustBeDigest' | 'resolve'>;
  readonly policies: ImageQuestion['policies'];
  /** Whoever wants the pod: registries are asked in its turn. */
  readonly asker: NonNullable<ImageQuestion['asker']>;
  /** Asked for only when there is a tag to resolve. */
  readonly credentials: () => Promise<PullCredentials>;
  readonly signal: AbortSignal;
}

/** Never rejects: an image that cannot be resolved stays as it is, and whoever validates says why it may not. */
export async function pinImages(images: readonly ImageUse[], pinning: Pinning): Promise<JsonPatch> {
  if (new Set(images.map(({ text }) => text)).size > maxImages) return [];
  const resolved = new Map<string, Promise<string | undefined>>();
  const pin = (text: string): Promise<string | undefined> => {
    const before = resolved.get(text);
    if (before !== undefined) return before;
    const answer = pinned(text, pinning).catch(() => undefined);
    resolved.set(text, answer);
    return answer;
  };
  const patches = await Promise.all(
    images.map(async ({ field, text }): Promise<JsonPatch> => {
      const value = text === undefined ? undefined : await pin(text);
      if (value === undefined) return [];
      const path = pointerTo(field);
      return [
        { op: 'test', path, value: text },
        { op: 'add', path, value },
      ];
    }),
  );
  return patches.flat();
}

/** Undefined where nothing has to change. @throws what keeps it from being resolved */
async function pinned(
  text: string,
  { judge, policies, asker, credentials, signal }: Pinning,
): Promise<string | undefined> {
  const reference = parseReference(text);
  if (reference.digest !== undefined || !judge.mustBeDigest(reference, policies)) {
    const isGood = isQualified(text) || namingPolicies(policies).length === 0;
    return isGood ? undefined : formatReference(reference);
  }
  const digest = await judge.resolve({ reference, credentials: await credentials(), asker, signal });
  return formatReference({ ...reference, digest });
}

/** `spec.containers[0].image` as RFC 6901 writes it. The names of these fields hold nothing that would have to be escaped. */
function pointerTo(field: string): string {
  return `/${field.replaceAll(/[.[]/g, '/').replaceAll(']', '')}`;
}
