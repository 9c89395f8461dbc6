// Content descriptors (OCI image specification, descriptor.md): what names a blob or manifest from inside another one.

import { type Digest, isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself, base64 as found. */
  readonly data?: string;
  readonly platform?: Platform;
  /** Where else the content is, for layers that registries may not distribute. */
  readonly urls?: readonly string[];
}

const names = ['mediaType', 'digest', 'size', 'artifactType', 'annotations', 'data', 'platform', 'urls'];

// RFC 6838 §4.2, without the parameters that no descriptor has.
const mediaTypePattern = /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/;

/** @param where what is read, for messages @throws RegistryError ERR_MANIFEST_INVALID */
export function readDescriptor(value: unknown, where: string): Descriptor {
  const object = readObject(value, where, names);
  const { digest, size } = object;
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw invalid(`${where} has no digest of SHA-256 or SHA-512`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${where} has no size in bytes`);
  }
  const mediaType = readMediaType(object['mediaType'], `${where}.mediaType`);
  if (mediaType === undefined) throw invalid(`${where} has no media type`);
  const artifactType = readMediaType(object['artifactType'], `${where}.artifactType`);
  const annotations = readAnnotations(object['annotations'], where);
  const data = optionalString(object['data'], `${where}.data`);
  const platform = readPlatform(object['platform'], where);
  const urls = readUrls(object['urls'], where);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
    ...(data !== undefined && { data }),
    ...(platform !== undefined && { platform }),
    ...(urls !== undefined && { urls }),
  };
}

/**
 * An object none of whose members is `names` in another case: Go's encoding/json, with which container runtimes read
 * manifests, takes `Layers` for `layers`.
 * @throws RegistryError ERR_MANIFEST_INVALID
 */
export function readObject(value: unknown, where: string, names: readonly string[]): JsonObject {
  if (!isJsonObject(value)) throw invalid(`${where} is no object`);
  for (const name of Object.keys(value)) {
    const known = names.find((each) => fold(each) === fold(name));
    if (known !== undefined && known !== name) {
      throw invalid(`${where} has a member ${JSON.stringify(name)}, which some read as ${known}`);
    }
  }
  return value;
}

/** Go folds by Unicode's simple rules, where the long s is an s and the Kelvin sign a k. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** Undefined when absent. @throws RegistryError ERR_MANIFEST_INVALID */
export function readMediaType(value: unknown, where: string): string | undefined {
  const text = optionalString(value, where);
  // Empty is what Go writes for a member it has no value for.
  if (text === undefined || text === '') return undefined;
  if (!mediaTypePattern.test(text)) throw invalid(`${where} is no media type`);
  return text;
}

/** Undefined when absent. @throws RegistryError ERR_MANIFEST_INVALID */
export function readAnnotations(value: unknown, where: string): Readonly<Record<string, string>> | undefined {
  // Null is what Go writes for a map it has no value for.
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw invalid(`${where}.annotations is no object`);
  const entries = Object.entries(value).map(([name, text]): [string, string] => {
    if (typeof text !== 'string') throw invalid(`${where}.annotations has a value that is no text`);
    return [name, text];
  });
  return Object.fromEntries(entries);
}

function readPlatform(value: unknown, where: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const object = readObject(value, `${where}.platform`, ['architecture', 'os', 'variant']);
  const { architecture, os } = object;
  if (typeof architecture !== 'string' || typeof os !== 'string') {
    throw invalid(`${where}.platform has no architecture and os`);
  }
  const variant = optionalString(object['variant'], `${where}.platform.variant`);
  return { architecture, os, ...(variant !== undefined && { variant }) };
}

function readUrls(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((url) => typeof url === 'string')) {
    throw invalid(`${where}.urls is no list of addresses`);
  }
  return value;
}

function optionalString(value: unknown, where: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw invalid(`${where} is no text`);
  return value;
}

function invalid(reason: string): RegistryError {
  return new RegistryError('ERR_MANIFEST_INVALID', `this manifest is not taken: ${reason}`);
}
