// Registries that hang, lie and flood, over HTTP: what they do to an image that is theirs, and to those that are not.

import { expect, test } from 'vitest';
import {
  createImageJudge,
  type ImageJudgeOptions,
  type OwnedImageJudge,
} from '../../../../src/admission/images/create-image-judge.ts';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { referrerManifest } from '../../../../src/signing/format/referrer.ts';
import { signPredicateType } from '../../../../src/signing/format/statement.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { until } from '../../../support/until.ts';
import {
  type FakeOptions,
  type FakeRegistry,
  fakeRegistry,
  imageType,
} from '../../registry/support/fake-registry.ts';
import { answer, type Scripted } from '../../registry/support/server.ts';
import { bundleBytes, now, payloadBy } from '../../signing/verify/support.ts';
import { hybrid, policyOf, rule } from './support.ts';

const config = { mediaType: 'application/x-test', digest: `sha256:${'00'.repeat(32)}`, size: 2 };

/** With one image that is signed. */
async function registryWith(options: FakeOptions = {}) {
  const registry = await fakeRegistry({ referrersApi: true, ...options });
  return { registry, image: sign(registry, 'app') };
}

/** @param times how often each key has signed */
function sign(
  registry: FakeRegistry,
  name: string,
  times = 1,
): { readonly name: string; readonly digest: Digest } {
  const image = { schemaVersion: 2, mediaType: imageType, config, layers: [], annotations: { name } };
  const subject = registry.put(image, { tag: 'v1' });
  const reference = `${registry.host}/trading/${name}`;
  const payload = payloadBy(hybrid, { subject: subject.digest, reference });
  const instants = Array.from({ length: times }, (_, n) => new Date(now.getTime() + n * 1000));
  for (const [key, created] of hybrid.flatMap((key) => instants.map((at) => [key, at] as const))) {
    const bundle = bundleBytes(key, payload);
    const made = referrerManifest({ subject, bundle, predicateType: signPredicateType, created });
    for (const blob of made.blobs) registry.blobs.set(digestOf(blob), Buffer.from(blob));
    registry.manifests.set(digestOf(made.manifest), {
      bytes: Buffer.from(made.manifest),
      mediaType: imageType,
    });
  }
  return { name, digest: subject.digest };
}

function judgeFor(servers: readonly Scripted[], options: Partial<ImageJudgeOptions> = {}): OwnedImageJudge {
  const judge = createImageJudge({
    keySources: { kms: () => Promise.reject(new Error('none')), configMap: async () => undefined },
    now: () => now,
    registry: {
      plainHttp: servers.map(({ host }) => host),
      allowedAddresses: ['127.0.0.0/8'],
      sleep: async () => {},
    },
    ...options,
  });
  onEnd(() => judge.close());
  return judge;
}

const { signal: forEver } = new AbortController();

async function ask(
  judge: OwnedImageJudge,
  { host }: Scripted,
  { name, digest }: { readonly name: string; readonly digest?: Digest },
  signal = forEver,
): Promise<JudgedImage> {
  const reference = parseReference(`${host}/trading/${name}${digest === undefined ? ':v1' : `@${digest}`}`);
  const policies = [policyOf({ images: [rule({ match: [`${host}/**`] })] })];
  const credentials = { scope: 'node', source: async () => undefined };
  return await judge.judge({ reference, policies, credentials, signal });
}

const reasonsOf = ({ requirements }: JudgedImage) =>
  requirements.flatMap(({ reasons }) => reasons).join('\n');

test('one that hangs keeps nobody else waiting, and is left when the time is over', async () => {
  const good = await registryWith();
  const { registry: hanging } = await registryWith({ intercept: () => true });
  const judge = judgeFor([good.registry, hanging], {
    limits: { maxParallelLooks: 3, maxLooksPerRegistry: 2 },
  });
  const time = new AbortController();
  const stuck = Array.from({ length: 10 }, (_, index) =>
    ask(judge, hanging, { name: 'app', digest: `sha256:${String(index).repeat(64)}` }, time.signal),
  );
  await until('the requests that hang', () => hanging.seen.length === 2);
  expect((await ask(judge, good.registry, good.image)).decision).toBe('verified');
  expect(judge.stats().looksUnderWay).toBe(10);
  time.abort(new Error('over'));
  for (const judged of await Promise.all(stuck)) {
    expect(judged.decision).toBe('unknown');
    expect(reasonsOf(judged)).toMatch(/the time for the answer is over/);
  }
  expect(judge.stats().looksUnderWay).toBe(0);
  expect(hanging.seen).toHaveLength(2);
});

test('one that is slow is waited for once, by all', async () => {
  const held = Promise.withResolvers<void>();
  const { registry, image } = await registryWith({ intercept: () => held.promise.then(() => false) });
  const judge = judgeFor([registry]);
  const all = Array.from({ length: 200 }, () => ask(judge, registry, image));
  await until('the first request', () => registry.seen.length === 1);
  held.resolve();
  expect(new Set((await Promise.all(all)).map(({ decision }) => decision))).toEqual(new Set(['verified']));
  // The list and two manifests, which hold their bundles.
  expect(registry.seen).toHaveLength(3);
});

test.each<[string, FakeOptions['intercept']]>([
  ['server errors', (_, response) => respond(response, 500)],
  ['too many requests', (_, response) => respond(response, 429)],
  ['no permission', (_, response) => respond(response, 403)],
  ['something that is no list', (_, response) => respond(response, 200, 'text/html', '<html>')],
  ['a redirect to this machine', (_, response) => respond(response, 302)],
])('one that answers with %s says nothing about the image, and nothing is kept', async (_, intercept) => {
  let isBad = true;
  const { registry, image } = await registryWith({
    intercept: (request, response, self) => isBad && intercept?.(request, response, self),
  });
  const judge = judgeFor([registry]);
  expect(await ask(judge, registry, image)).toMatchObject({ decision: 'unknown', ok: false });
  expect(judge.stats().entries).toBe(0);
  isBad = false;
  expect((await ask(judge, registry, image)).decision).toBe('verified');
});

function respond(
  response: Parameters<typeof answer>[0],
  status: number,
  type = 'text/plain',
  body = '',
): true {
  answer(response, status, { 'content-type': type, location: 'http://127.0.0.1:1/' }, body);
  return true;
}

test('one that gives other bytes than are asked for is not believed', async () => {
  const { registry, image } = await registryWith({
    intercept: ({ path }, response) => {
      if (!path.includes('/manifests/sha256:')) return false;
      answer(response, 200, { 'content-type': imageType }, '{"schemaVersion":2}');
      return true;
    },
  });
  const judge = judgeFor([registry]);
  const judged = await ask(judge, registry, image);
  expect(judged).toMatchObject({ decision: 'denied', ok: false });
  expect(reasonsOf(judged)).toMatch(/other content than sha256:\w+ names/);
});

test('one that hides the signatures is found out by nobody who knew the image, and keeps out the others', async () => {
  let isHiding = false;
  const { registry, image } = await registryWith({
    intercept: ({ path }, response) =>
      isHiding &&
      path.includes('/referrers/') &&
      respond(
        response,
        200,
        'application/vnd.oci.image.index.v1+json',
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
      ),
  });
  const judge = judgeFor([registry]);
  expect((await ask(judge, registry, image)).decision).toBe('verified');
  isHiding = true;
  expect((await ask(judge, registry, image)).decision).toBe('verified');
  const other = sign(registry, 'other');
  expect((await ask(judge, registry, other)).decision).toBe('denied');
  isHiding = false;
  expect((await ask(judge, registry, other)).decision).toBe('verified');
});

test('credentials go to their registry, not where it redirects to', async () => {
  const { registry: elsewhere } = await registryWith();
  const { registry } = await registryWith({
    intercept: ({ headers, path }, response) => {
      if (headers.authorization === undefined)
        answer(response, 401, { 'www-authenticate': 'Basic realm="r"' });
      else answer(response, 307, { location: `${elsewhere.url}${path}` });
      return true;
    },
  });
  const judge = judgeFor([registry, elsewhere]);
  const reference = parseReference(`${registry.host}/trading/app:v1`);
  const source = async () => ({ kind: 'password', username: 'u', password: 'hunter2' }) as const;
  await judge.resolve({ reference, credentials: { scope: 'u', source }, signal: forEver });
  expect(registry.seen.at(-1)?.headers.authorization).toMatch(/^Basic /);
  expect(elsewhere.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

test('a registry on this machine is not asked, whatever the reference calls it', async () => {
  const { registry, image } = await registryWith();
  const { host, port } = registry;
  const judge = judgeFor([], {
    registry: {
      plainHttp: [host, `localhost:${port}`, `name.example:${port}`],
      limits: { maxAttempts: 1 },
      resolve: async () => [{ address: registry.address, family: 4 }],
    },
  });
  for (const name of [host, `localhost:${port}`, `name.example:${port}`]) {
    const judged = await ask(judge, { ...registry, host: name }, image);
    expect(judged.decision).toBe('unknown');
    expect(reasonsOf(judged)).toMatch(/because it is (an address of|not) this machine/);
  }
  expect(registry.seen).toEqual([]);
});

test('images of one tenant that hang leave a registry to the others, however many requests they are', async () => {
  const hanging = new Set<string>();
  const { registry, image } = await registryWith({
    intercept: ({ path }) => {
      // As some proxies of registries do for what they get from a repository that is somebody else's.
      const hangs = path.startsWith('/v2/evil/app/manifests/');
      if (hangs) hanging.add(path);
      return hangs;
    },
  });
  const judge = judgeFor([registry]);
  const policies = [policyOf({ images: [rule({ match: ['**'], bindReference: 'none' })] })];
  const credentials = { scope: 'node', source: async () => undefined };
  const controller = new AbortController();
  // Of an image as many signatures are asked for at the same time as a client without tenants would ask of a registry in all.
  const evil = ['evil-1', 'evil-2'].map((name) => sign(registry, name, 8));
  const looks = evil.map(({ digest }) =>
    judge.judge({
      reference: parseReference(`${registry.host}/evil/app@${digest}`),
      ...{ policies, credentials, signal: controller.signal },
      asker: { tenant: 'evil', request: 'pod' },
    }),
  );
  await until('the requests that hang', () => hanging.size >= 8);
  const judged = await judge.judge({
    reference: parseReference(`${registry.host}/trading/${image.name}@${image.digest}`),
    ...{ policies, credentials, signal: forEver },
    asker: { tenant: 'trading', request: 'pod' },
  });
  expect(judged.decision).toBe('verified');
  controller.abort();
  expect((await Promise.all(looks)).map(({ decision }) => decision)).toEqual(['unknown', 'unknown']);
});
