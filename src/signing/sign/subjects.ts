// What a reference stands for when it is signed: the manifest it names, and with it those an index lists.

import type { RegistryClient } from '../../registry/client.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ImageReference } from '../../registry/reference.ts';

export interface Subject {
  readonly descriptor: Descriptor;
  /** Of a manifest of an index, as in linux/arm64; undefined for what was named. */
  readonly platform: string | undefined;
}

/**
 * Resolves the reference once. With `recursive`, the manifests of an index are subjects too, so that each can be verified
 * when it is named by its own digest: the signature of an index says nothing about them then.
 */
export async function subjectsOf(
  client: RegistryClient,
  reference: ImageReference,
  options: { readonly recursive: boolean; readonly signal?: AbortSignal | undefined },
): Promise<readonly Subject[]> {
  const descriptor = await client.resolve(reference, options.signal);
  const named: Subject = { descriptor, platform: undefined };
  if (!options.recursive) return [named];
  const { manifest } = await client.manifest(reference, descriptor.digest, options.signal);
  if (manifest.kind !== 'index') return [named];
  const children = new Map<string, Subject>();
  for (const { mediaType, digest, size, platform } of manifest.manifests) {
    children.set(digest, { descriptor: { mediaType, digest, size }, platform: platformName(platform) });
  }
  return [named, ...children.values()];
}

function platformName(platform: Descriptor['platform']): string | undefined {
  if (platform === undefined) return undefined;
  const { os, architecture, variant } = platform;
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}
