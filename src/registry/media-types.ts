// The media types of manifests: those of the OCI image specification and Docker's older ones of the same shape.

export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociIndex = 'application/vnd.oci.image.index.v1+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';

export type ManifestKind = 'image' | 'index';

const kinds: ReadonlyMap<string, ManifestKind> = new Map([
  [ociManifest, 'image'],
  [ociIndex, 'index'],
  [dockerManifest, 'image'],
  [dockerList, 'index'],
]);

/** Undefined for what is no manifest that we read: schema 1, and everything else. */
export function kindOf(mediaType: string): ManifestKind | undefined {
  return kinds.get(mediaType);
}

/** For the Accept header of a request for a manifest: all that we read. */
export const acceptedManifests: string = [...kinds.keys()].join(', ');

/** The media type of a Content-Type header, without its parameters (RFC 9110 §8.3.1). */
export function mediaTypeOf(contentType: string | undefined): string | undefined {
  const [type = ''] = (contentType ?? '').split(';', 1);
  return type.trim().toLowerCase() || undefined;
}
