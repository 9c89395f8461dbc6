// Reading a list of referrers. Whoever may push writes part of each entry (media types, annotations), and every entry
// leads to a manifest that is read strictly, so the list is read leniently: an entry that makes no sense is left out, or one
// strange referrer would hide all the good ones.

import { type Descriptor, readMediaType } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';

/** A list of referrers, as the registry has it. */
export interface ReferrerList {
  /** The whole document, members that nobody here knows included. */
  readonly document: JsonObject;
  /** The entries that make sense, in their order. */
  readonly descriptors: readonly Descriptor[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws RegistryError ERR_JSON_INVALID, ERR_MANIFEST_INVALID when it is no index at all */
export function readReferrerList(bytes: Uint8Array): ReferrerList {
  const document = parse(bytes);
  if (!isJsonObject(document) || !Object.hasOwn(document, 'manifests')) throw invalid('it is no index');
  if (['config', 'layers', 'fsLayers'].some((name) => Object.hasOwn(document, name))) {
    throw invalid('it is an image as well');
  }
  // Null is what Go writes for a list it has no value for.
  const manifests = document['manifests'] ?? [];
  if (!Array.isArray(manifests)) throw invalid('its manifests are no list');
  return { document, descriptors: manifests.flatMap((entry) => readEntry(entry) ?? []) };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new RegistryError('ERR_JSON_INVALID', 'the list of referrers is no JSON document', { cause });
  }
}

function readEntry(entry: unknown): Descriptor | undefined {
  if (!isJsonObject(entry)) return undefined;
  const { digest, size } = entry;
  const mediaType = mediaTypeOf(entry['mediaType']);
  if (typeof digest !== 'string' || !isDigest(digest) || mediaType === undefined) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  const artifactType = mediaTypeOf(entry['artifactType']);
  const annotations = texts(entry['annotations']);
  return {
    ...{ mediaType, digest, size },
    ...(artifactType !== undefined && { artifactType }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

function mediaTypeOf(value: unknown): string | undefined {
  try {
    return readMediaType(value, 'a media type');
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** Longer ones order nothing, and a list of thousands would hold them all. */
const maxAnnotationChars = 512;

function texts(value: unknown): Readonly<Record<string, string>> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] =>
        entry[0] !== '__proto__' && typeof entry[1] === 'string' && entry[1].length <= maxAnnotationChars,
    ),
  );
}

function invalid(reason: string): RegistryError {
  return new RegistryError('ERR_MANIFEST_INVALID', `the list of referrers is not taken: ${reason}`);
}
