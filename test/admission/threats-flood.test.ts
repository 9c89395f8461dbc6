// Registries that give more than anybody wants, or nothing at all, on a real API server: every question is answered by the webhook
// itself, within the time that the API server gives, and what is asked of the registry has an end.

import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { messageOf, podSpec } from '../support/admission/pods.ts';
import {
  type Intercept,
  jsonAnswer,
  type RegistryFront,
  startRegistryFront,
} from '../support/admission/registry-front.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { onEnd } from '../support/cleanup.ts';
import { startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const namespace = 'trading';
const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

let cluster: AdmissionCluster;
let front: RegistryFront;
/** Another registry, with nothing in it. */
let other: RegistryFront;
let ci: TestSigner;
/** Signed, and asked about in every test anew: nothing of it is remembered, because it is never let in before the end. */
let image: { readonly reference: string; readonly digest: string };
let webhookPid: number | undefined;

beforeAll(async () => {
  front = await startRegistryFront(await startRegistry({ kind: 'ggcr' }));
  other = await startRegistryFront(undefined);
  // Those that never answer are waited for: not for the usual ten seconds.
  cluster = await startAdmission({
    plainHttp: [front.host, other.host],
    values: { webhook: { timeoutSeconds: 5 } },
  });
  ci = await makeSigner();
  const match = [front.host, other.host].map((host) => `${host}/**`);
  const cosigned = { authorities: [ci.authority('ci', ['ECDSA-P256'])], bindReference: 'none' };
  for (const [name, rule] of Object.entries({ [namespace]: { authorities: [ci.authority()] }, cosigned })) {
    await cluster.createNamespace(name);
    await cluster.applyPolicy(name, 'images', { images: [{ match, ...rule }] });
  }
  webhookPid = cluster.replicas[0]?.program.pid;
});

beforeEach(async () => {
  front.intercept(undefined);
  image = await front.push({ repository: 'app', tag: '1' });
  await ci.sign(image.reference);
  front.forget();
});

/** Whatever was done to it, it goes on. */
afterEach(async () => {
  front.intercept(undefined);
  const [replica] = cluster.replicas;
  expect(replica?.program.hasEnded()).toBe(false);
  expect(replica?.program.pid).toBe(webhookPid);
  expect(await ask(image.reference)).toMatchObject({ status: 201, message: '' });
});

let pods = 0;

async function ask(reference: string, where = namespace) {
  pods += 1;
  const answer = await cluster.createPod(where, `pod-${pods}`, podSpec(reference));
  return { status: answer.status, message: messageOf(answer) };
}

/** By a word of the webhook, and not because it said none. */
function expectAnswered(answer: { readonly status: number; readonly message: string }, reason: RegExp): void {
  expect([403, 503], answer.message).toContain(answer.status);
  expect(answer.message).toContain('denied the request');
  expect(answer.message).toMatch(reason);
}

/** In 64 KiB pieces, until whoever reads has had enough. @returns how many bytes were taken */
function endless(response: ServerResponse, headers: Record<string, string>, piece: Buffer): () => number {
  let bytes = 0;
  response.writeHead(200, headers);
  const write = (): void => {
    while (!response.destroyed) {
      bytes += piece.byteLength;
      if (!response.write(piece)) return;
    }
  };
  response.on('drain', write);
  response.on('error', () => {});
  write();
  return () => bytes;
}

const referrers = (seen: string) => seen.startsWith('/v2/app/referrers/');
const spaces = Buffer.alloc(64 * 1024, ' ');

describe('more than anybody wants', () => {
  const mebibyte = 1024 * 1024;
  /** What is in sockets between the two is sent as well. */
  const slackBytes = 16 * mebibyte;

  const places: readonly (readonly [string, (path: string) => boolean, string, number])[] = [
    ['a list of signatures', referrers, indexType, 16 * mebibyte],
    [
      'the manifest of a signature',
      (path) => path.startsWith('/v2/app/manifests/sha256:'),
      manifestType,
      4 * mebibyte,
    ],
  ];

  test.each(places)('%s without end', async (_what, isIt, contentType, maxBytes) => {
    let taken: readonly (() => number)[] = [];
    front.intercept(async ({ path }, response) => {
      if (!isIt(path)) return undefined;
      taken = [...taken, endless(response, { 'content-type': contentType }, spaces)];
      return 'taken';
    });
    expectAnswered(
      await ask(image.reference),
      /more than|larger|too large|too much|no valid signature|bytes/,
    );
    expect(taken.length).toBeGreaterThan(0);
    for (const bytes of taken) expect(bytes()).toBeLessThan(maxBytes + slackBytes);
  });

  test('a signature without end', async () => {
    // Unlike ours it does not stand in its manifest.
    await ci.cosign(image.reference);
    const taken: (() => number)[] = [];
    front.intercept(async ({ path }, response) => {
      if (!path.startsWith('/v2/app/blobs/')) return undefined;
      taken.push(endless(response, { 'content-type': 'application/octet-stream' }, spaces));
      return 'taken';
    });
    expectAnswered(await ask(image.reference, 'cosigned'), /no valid signature/);
    expect(taken.length).toBeGreaterThan(0);
    for (const bytes of taken) expect(bytes()).toBeLessThan(mebibyte + slackBytes);
    front.intercept(undefined);
    expect(await ask(image.reference, 'cosigned')).toMatchObject({ status: 201 });
  });

  test('the manifest of a tag without end', async () => {
    const taken: (() => number)[] = [];
    front.intercept(async ({ path }, response) => {
      if (path !== '/v2/app/manifests/1') return undefined;
      taken.push(endless(response, { 'content-type': manifestType }, spaces));
      return 'taken';
    });
    expectAnswered(await ask(`${front.host}/app:1`), /more than|larger|too large|bytes/);
    // Once for each webhook.
    expect(taken).toHaveLength(2);
    for (const bytes of taken) expect(bytes()).toBeLessThan(4 * mebibyte + slackBytes);
  });

  test('signatures without number, page after page', async () => {
    front.intercept(async ({ path }) => {
      if (!referrers(path)) return undefined;
      const page = Number(new URL(path, 'http://registry').searchParams.get('page') ?? 0);
      const list = jsonAnswer({ schemaVersion: 2, mediaType: indexType, manifests: [] }, indexType);
      const next = `</v2/app/referrers/${image.digest}?page=${page + 1}>; rel="next"`;
      return { ...list, headers: { ...list.headers, link: next } };
    });
    expectAnswered(await ask(image.reference), /pages/);
    expect(front.seen.length).toBeLessThan(100);
  });

  test.each([1_000, 5_000])('%d things that look like signatures', async (count) => {
    const junk = Array.from({ length: count }, (_, index) => ({
      ...{ mediaType: manifestType, artifactType: bundleType, size: 1_000 },
      digest: `sha256:${index.toString(16).padStart(64, '0')}`,
      annotations: { 'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1' },
    }));
    front.intercept(async ({ path }) =>
      referrers(path)
        ? jsonAnswer({ schemaVersion: 2, mediaType: indexType, manifests: junk }, indexType)
        : undefined,
    );
    expectAnswered(await ask(image.reference), /referrers/);
    expect(front.seen.length).toBeLessThan(200);
  });

  test('little that unpacks to much', async () => {
    const bomb = gzipSync(Buffer.alloc(256 * mebibyte));
    front.intercept(async ({ path }) => {
      if (!referrers(path) && !path.startsWith('/v2/app/blobs/')) return undefined;
      const headers = { 'content-type': indexType, 'content-encoding': 'gzip' };
      return { status: 200, headers, body: bomb };
    });
    expectAnswered(await ask(image.reference), /JSON|not taken|encod|could not be judged/);
  });

  test('redirects without end', async () => {
    let turn = 0;
    front.intercept(async () => {
      turn += 1;
      return { status: 307, headers: { location: `/v2/app/turn/${turn}` }, body: Buffer.alloc(0) };
    });
    expectAnswered(await ask(image.reference), /redirects more than/);
    expect(front.seen.length).toBeLessThan(30);
  });
});

describe('nothing at all', () => {
  const slow: Readonly<Record<string, Intercept>> = {
    'no answer': async () => 'taken',
    'an answer that does not begin': async (_seen, response) => {
      response.writeHead(200, { 'content-type': indexType });
      response.flushHeaders();
      return 'taken';
    },
    'an answer, byte by byte': async (_seen, response) => {
      response.writeHead(200, { 'content-type': indexType });
      const timer = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(timer));
      onEnd(() => clearInterval(timer));
      return 'taken';
    },
    'always later': async () => ({ status: 429, headers: { 'retry-after': '3600' }, body: Buffer.alloc(0) }),
  };

  test.each(Object.entries(slow))('%s: it is said in time what is wrong', async (what, by) => {
    front.intercept(by);
    const reason = what === 'always later' ? /429/ : /the time for the answer is over/;
    expectAnswered(await ask(image.reference), reason);
  });

  test('from one registry: the others are asked all the same', async () => {
    other.intercept(async () => 'taken');
    const name = (index: number) => `${other.host}/app/${index}@sha256:${'a'.repeat(64)}`;
    const hanging = Array.from({ length: 60 }, (_, index) => ask(name(index)));
    await until('them to hang', () => other.seen.length > 0);
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
    for (const answer of await Promise.all(hanging)) {
      expectAnswered(answer, /the time for the answer is over/);
    }
  });
});

describe('an author of pods who wants too much', () => {
  test('more images than are looked at', async () => {
    const containers = Array.from({ length: 201 }, (_, index) => ({
      name: `c-${index}`,
      image: `${front.host}/many/${index}@${image.digest}`,
    }));
    const answer = await cluster.createPod(namespace, 'many', { containers });
    expectAnswered({ status: answer.status, message: messageOf(answer) }, /no more than 200/);
    expect(front.seen).toEqual([]);
  });

  test('a pod as large as there can be one', async () => {
    const env = Array.from({ length: 1_300 }, (_, index) => ({
      name: `V${index}`,
      value: 'x'.repeat(1_000),
    }));
    const large = (reference: string) => ({ containers: [{ name: 'app', image: reference, env }] });
    const unsigned = await front.push({ repository: 'app' });
    const refused = await cluster.createPod(namespace, 'large', large(unsigned.reference));
    expectAnswered({ status: refused.status, message: messageOf(refused) }, /no valid signature/);
    expect(await cluster.createPod(namespace, 'large', large(image.reference))).toMatchObject({
      status: 201,
    });
  });

  test('names without number: none of them becomes a metric', async () => {
    const series = async () => {
      const all = (await cluster.replicas[0]?.metrics())?.keys().toArray() ?? [];
      return all.filter((name) =>
        /^trellis_(admission_(requests|findings|images|duration)|image_cache)/.test(name),
      );
    };
    await ask(`${front.host}/first@${image.digest}`);
    const before = await series();
    expect(before.length).toBeGreaterThan(0);
    for (let index = 0; index < 30; index++) {
      const metadata = { labels: { [`l-${index}`]: 'a' } };
      const spec = podSpec(`${front.host}/m-${index}@${image.digest}`);
      await cluster.createPod(namespace, `metric-${index}`, spec, metadata);
    }
    expect(await series()).toEqual(before);
  });
});
