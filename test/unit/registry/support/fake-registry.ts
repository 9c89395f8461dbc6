// A registry in memory, on a scripted server, that does whatever a test wants it to do wrong.

import type { ServerResponse } from 'node:http';
import { digestOf } from '../../../../src/registry/digest.ts';
import { answer, type Scripted, type Seen, serve } from './server.ts';

export const imageType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';

export interface Stored {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export interface FakeRegistry extends Scripted {
  /** By tag and digest, of all repositories. */
  readonly manifests: Map<string, Stored>;
  readonly blobs: Map<string, Buffer>;
  /** Stores a manifest and returns what names it. */
  put(manifest: object, options?: { readonly tag?: string; readonly mediaType?: string }): Descriptor;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: `sha256:${string}`;
  readonly size: number;
}

export interface FakeOptions {
  readonly referrersApi?: boolean;
  /** Says in its answers that it keeps the list of referrers. */
  readonly saysSubject?: boolean;
  /** True when it has answered itself. */
  readonly intercept?: (request: Seen, response: ServerResponse, registry: FakeRegistry) => unknown;
  readonly tls?: { readonly cert: string; readonly key: string };
}

export async function fakeRegistry(options: FakeOptions = {}): Promise<FakeRegistry> {
  const manifests = new Map<string, Stored>();
  const blobs = new Map<string, Buffer>();
  const server = await serve(async (request, response) => {
    if ((await options.intercept?.(request, response, registry)) === true) return;
    route(request, response, registry, options);
  }, options.tls);
  const registry: FakeRegistry = {
    ...server,
    manifests,
    blobs,
    put: (manifest, { tag, mediaType = imageType } = {}) => {
      const bytes = Buffer.from(JSON.stringify(manifest));
      const digest = digestOf(bytes) as `sha256:${string}`;
      manifests.set(digest, { bytes, mediaType });
      if (tag !== undefined) manifests.set(tag, { bytes, mediaType });
      return { mediaType, digest, size: bytes.byteLength };
    },
  };
  return registry;
}

function route(request: Seen, response: ServerResponse, registry: FakeRegistry, options: FakeOptions): void {
  const { pathname, searchParams } = new URL(request.path, 'http://registry');
  const [, kind, name = ''] = /^\/v2\/.+\/(manifests|blobs|referrers)\/(.*)$/.exec(pathname) ?? [];
  if (kind === 'manifests' && request.method === 'PUT')
    putManifest(request, response, name, registry, options);
  else if (kind === 'manifests') send(request, response, registry.manifests.get(name));
  else if (kind === 'referrers' && options.referrersApi === true) sendReferrers(response, name, registry);
  else if (kind === 'blobs' && request.method === 'POST') {
    answer(response, 202, { location: `${pathname}session` });
  } else if (kind === 'blobs' && request.method === 'PUT') {
    registry.blobs.set(searchParams.get('digest') ?? '', request.body);
    answer(response, 201);
  } else if (kind === 'blobs') {
    const bytes = registry.blobs.get(name);
    send(request, response, bytes && { bytes, mediaType: 'application/octet-stream' });
  } else answer(response, 404);
}

function send(request: Seen, response: ServerResponse, stored: Stored | undefined): void {
  if (stored === undefined) {
    answer(response, 404, {}, '{"errors":[{"code":"UNKNOWN","message":"not here"}]}');
    return;
  }
  const headers = { 'content-type': stored.mediaType, 'content-length': String(stored.bytes.byteLength) };
  answer(response, 200, headers, request.method === 'HEAD' ? '' : stored.bytes);
}

function putManifest(
  request: Seen,
  response: ServerResponse,
  name: string,
  registry: FakeRegistry,
  options: FakeOptions,
): void {
  const stored = { bytes: request.body, mediaType: request.headers['content-type'] ?? '' };
  const digest = digestOf(request.body);
  registry.manifests.set(digest, stored);
  registry.manifests.set(name, stored);
  const subject = (JSON.parse(String(request.body)) as { subject?: { digest: string } }).subject?.digest;
  const says = options.saysSubject === true && subject !== undefined;
  answer(response, 201, { 'docker-content-digest': digest, ...(says && { 'oci-subject': subject }) });
}

function sendReferrers(response: ServerResponse, subject: string, registry: FakeRegistry): void {
  const manifests = [...registry.manifests].flatMap(([name, { bytes, mediaType }]) => {
    const manifest = JSON.parse(String(bytes)) as { subject?: { digest: string } };
    if (manifest.subject?.digest !== subject || !name.startsWith('sha256:')) return [];
    return [{ mediaType, digest: name, size: bytes.byteLength }];
  });
  const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
  answer(response, 200, { 'content-type': indexType }, index);
}
