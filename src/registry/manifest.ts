// Reading manifests so that nobody can read them differently (CVE-2021-41190): the media type is what Content-Type and
// body agree on, and a document is an image or an index, never both.

import { type Descriptor, readAnnotations, readDescriptor, readMediaType, readObject } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { kindOf } from './media-types.ts';
import { type JsonObject, parseStrictJson } from './strict-json.ts';

interface Common {
  readonly mediaType: string;
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageManifest extends Common {
  readonly kind: 'image';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface IndexManifest extends Common {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
}

export type Manifest = ImageManifest | IndexManifest;

/** A manifest whose bytes are what its digest names. */
export interface FetchedManifest {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly manifest: Manifest;
}

export interface ManifestLimits {
  readonly maxBytes: number;
  /** Layers of an image, or manifests of an index. */
  readonly maxEntries: number;
}

/** What registries accept at least (OCI distribution specification, "Pushing Manifests"); all of them stop there. */
const maxManifestBytes = 4 * 1024 * 1024;

export const defaultManifestLimits: ManifestLimits = {
  maxBytes: maxManifestBytes,
  // Images stop at 127 layers; a fallback index lists every signature and attestation of an image.
  maxEntries: 4_096,
};

/** Descriptors lie three deep; annotations are flat; what unknown members hold is not read. */
const maxDepth = 32;

const names = [
  ...[
    'schemaVersion',
    'mediaType',
    'artifactType',
    'config',
    'layers',
    'manifests',
    'subject',
    'annotations',
  ],
  // Of Docker's schema 1: a document that also is one of those.
  ...['fsLayers', 'history', 'signatures', 'blobs'],
];

/**
 * @param mediaType of the Content-Type header, or of the descriptor that led here
 * @throws RegistryError ERR_MANIFEST_INVALID, ERR_JSON_INVALID, ERR_REGISTRY_TOO_LARGE
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string,
  limits: ManifestLimits = defaultManifestLimits,
): Manifest {
  const kind = kindOf(mediaType);
  if (kind === undefined) throw invalid(`${JSON.stringify(mediaType)} is no image manifest or index`);
  const object = readObject(parseStrictJson(bytes, { maxBytes: limits.maxBytes, maxDepth }), 'it', names);
  checkIsOne(object, mediaType);
  const common = readCommon(object, mediaType);
  if (kind === 'index') {
    refuseMembers(object, ['config', 'layers'], 'an index');
    return { ...common, kind, manifests: readDescriptors(object, 'manifests', limits) };
  }
  refuseMembers(object, ['manifests'], 'an image');
  const config = readDescriptor(object['config'], 'config');
  return { ...common, kind, config, layers: readDescriptors(object, 'layers', limits) };
}

function checkIsOne(object: JsonObject, mediaType: string): void {
  if (object['schemaVersion'] !== 2) throw invalid('its schemaVersion is not 2');
  const own = readMediaType(object['mediaType'], 'mediaType');
  if (own !== undefined && own !== mediaType) {
    throw invalid(`it says that it is ${own}, and the registry says that it is ${mediaType}`);
  }
  refuseMembers(object, ['fsLayers', 'history', 'signatures', 'blobs'], 'a manifest of schema 2');
}

function refuseMembers(object: JsonObject, names: readonly string[], what: string): void {
  const present = names.find((name) => Object.hasOwn(object, name));
  if (present !== undefined) throw invalid(`${what} has no ${present}, and this one does`);
}

function readCommon(object: JsonObject, mediaType: string): Common {
  const { subject } = object;
  const artifactType = readMediaType(object['artifactType'], 'artifactType');
  const annotations = readAnnotations(object['annotations'], 'it');
  return {
    mediaType,
    ...(subject !== undefined && { subject: readDescriptor(subject, 'subject') }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  };
}

function readDescriptors(
  object: JsonObject,
  member: 'layers' | 'manifests',
  limits: ManifestLimits,
): readonly Descriptor[] {
  // Null is what Go writes for a list it has no value for.
  const list = object[member] ?? (Object.hasOwn(object, member) ? [] : undefined);
  if (!Array.isArray(list)) throw invalid(`its ${member} are no list`);
  if (list.length > limits.maxEntries) {
    throw new RegistryError(
      'ERR_REGISTRY_TOO_LARGE',
      `this manifest is not taken: it has ${list.length} ${member}, where ${limits.maxEntries} are allowed`,
    );
  }
  return list.map((each, index) => readDescriptor(each, `${member}[${index}]`));
}

function invalid(reason: string): RegistryError {
  return new RegistryError('ERR_MANIFEST_INVALID', `this manifest is not taken: ${reason}`);
}
