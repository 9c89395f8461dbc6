// Registries that are slow, away, silent or lying: each question is answered in the time that the API server gives, with the reason;
// what was verified before is still admitted, and images of other registries do not notice.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { defaultImageJudgeLimits } from '../../src/admission/images/limits.ts';
import { inParallel } from '../support/admission/load.ts';
import { messageOf, podSpec } from '../support/admission/pods.ts';
import {
  type Intercept,
  type RegistryFront,
  startRegistryFront,
} from '../support/admission/registry-front.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import type { KubeAnswer } from '../support/kube.ts';
import type { PushedManifest } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** Of one namespace at one registry. */
const looksAtOnce = defaultImageJudgeLimits.maxLooksPerTenantAndRegistry;
/** Less than ten, for the sake of time: some wait for all of it. */
const timeoutSeconds = 6;

let cluster: AdmissionCluster;
let behind: TestRegistry;
/** Two registries that the policy treats alike. */
let troubled: RegistryFront;
let calm: RegistryFront;
let signer: TestSigner;

beforeAll(async () => {
  behind = await startRegistry({ kind: 'ggcr' });
  troubled = await startRegistryFront(behind);
  calm = await startRegistryFront(await startRegistry({ kind: 'ggcr' }));
  cluster = await startAdmission({
    plainHttp: [troubled.host, calm.host],
    values: { webhook: { timeoutSeconds } },
  });
  signer = await makeSigner();
  await cluster.createNamespace('trading');
  const match = [`${troubled.host}/**`, `${calm.host}/**`];
  await cluster.applyPolicy('trading', 'images', { images: [{ match, authorities: [signer.authority()] }] });
});

afterEach(() => {
  troubled.intercept(undefined);
});

let count = 0;

async function ask(image: string): Promise<KubeAnswer> {
  count++;
  return await cluster.kube.request('POST', '/api/v1/namespaces/trading/pods?dryRun=All', {
    metadata: { name: `asked-${count}` },
    spec: podSpec(image),
  });
}

type Image = PushedManifest & { readonly tag: string };

/** Unknown to the webhook. */
async function unsignedImage(front: RegistryFront): Promise<Image> {
  count++;
  const tag = `v${count}`;
  return { ...(await front.push({ repository: 'app', tag })), tag };
}

async function signedImages(front: RegistryFront, number: number): Promise<readonly Image[]> {
  const images = await inParallel(4, Array.from({ length: number }), () => unsignedImage(front));
  const [first = '', ...others] = images.map(({ reference }) => reference);
  await signer.sign(first, ...others);
  return images;
}

async function signedImage(front: RegistryFront): Promise<Image> {
  const [image] = await signedImages(front, 1);
  if (image === undefined) throw new Error('no image');
  return image;
}

/** Verified before. */
async function knownImage(front: RegistryFront): Promise<Image> {
  const image = await signedImage(front);
  expect(await ask(image.reference)).toMatchObject({ status: 201 });
  return image;
}

const tagged = ({ tag }: Image) => `${troubled.host}/app:${tag}`;

/** A verdict of the webhook: nobody waited in vain for it. */
function expectUnknown(answer: KubeAnswer, reference: string, reason: RegExp): void {
  expect(answer).toMatchObject({ status: 503 });
  const said = messageOf(answer);
  expect(said).toContain('admission webhook "validate.trellis.quantum.io" denied the request');
  expect(said).toContain(reference);
  expect(said).toContain('QuantumSecurityPolicy trading/images, rule 1');
  expect(said).toMatch(reason);
}

test('slow: the verdicts are those of ever', async () => {
  const signed = await signedImage(troubled);
  const unsigned = await unsignedImage(troubled);
  let delayed = 0;
  troubled.intercept(async () => {
    delayed++;
    await sleep(200);
    return undefined;
  });
  const [good, bad] = await Promise.all([ask(signed.reference), ask(unsigned.reference)]);
  expect(good).toMatchObject({ status: 201 });
  expect(bad).toMatchObject({ status: 403 });
  expect(messageOf(bad)).toContain('does not satisfy');
  expect(delayed).toBeGreaterThan(3);
});

const answering =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Intercept =>
  async () => ({ status, headers, body: Buffer.from(body) });

interface Trouble {
  readonly intercept: Intercept;
  /** Of an image by its digest, and by its tag. */
  readonly reason: RegExp;
  readonly tagReason?: RegExp;
}

const troubles: readonly (readonly [string, Trouble])[] = [
  [
    'silent: it takes questions and never answers',
    { intercept: async () => 'taken', reason: /the time for the answer is over/ },
  ],
  [
    'away: it breaks every connection',
    {
      intercept: async (_, response) => {
        response.destroy();
        return 'taken';
      },
      reason: /cannot be reached/,
    },
  ],
  ['broken', { intercept: answering(500, 'sorry'), reason: /answered with 500/ }],
  [
    'tired',
    {
      intercept: answering(429, 'later', { 'retry-after': '3600' }),
      reason: /asks to come back in 3600 s/,
    },
  ],
  [
    'no registry at all',
    {
      intercept: answering(200, '<html>'),
      reason: /no list of them/,
      tagReason: /does not say what sha256:\w+ is/,
    },
  ],
];

test('while a silent registry is waited for, others are asked', async () => {
  const unknown = await signedImages(troubled, 5 * looksAtOnce);
  const others = await signedImages(calm, 3);
  troubled.forget();
  troubled.intercept(async () => 'taken');
  let answered = 0;
  const waiting = inParallel(unknown.length, unknown, async ({ reference }) => {
    await ask(reference);
    answered++;
  });
  await until('questions under way', () => troubled.seen.length >= looksAtOnce);
  for (const { reference } of others) expect(await ask(reference)).toMatchObject({ status: 201 });
  expect(answered).toBe(0);
  await waiting;
});

describe.each(troubles)('%s', (_, { intercept, reason, tagReason = reason }) => {
  test('what is known is admitted, what is not is refused with the reason, and others do not notice', async () => {
    const known = await knownImage(troubled);
    const unknown = await signedImages(troubled, looksAtOnce);
    const other = await signedImage(calm);
    const [first = known] = unknown;
    troubled.intercept(intercept);
    const refused = inParallel(unknown.length, unknown, async (image) => ({
      image,
      answer: await ask(image.reference),
    }));
    const admitted = await Promise.all([ask(known.reference), ask(other.reference)]);
    expect(admitted.map((answer) => `${answer.status} ${messageOf(answer)}`)).toEqual(['201 ', '201 ']);
    for (const { image, answer } of await refused) expectUnknown(answer, image.reference, reason);
    // A tag is asked for, each time: whatever it named before, it may name something else.
    expectUnknown(await ask(tagged(known)), tagged(known), tagReason);

    // Nothing of it is remembered.
    troubled.intercept(undefined);
    expect(await ask(first.reference)).toMatchObject({ status: 201 });
    expect(await ask(tagged(known))).toMatchObject({ status: 201 });
  });
});

/** What is found of the image is no signature of it. */
async function expectUnsigned({ reference }: Image, reason: RegExp): Promise<void> {
  const answer = await ask(reference);
  expect(answer).toMatchObject({ status: 403 });
  expect(messageOf(answer)).toContain(`${reference} does not satisfy`);
  expect(messageOf(answer)).toMatch(reason);
}

/** What another path has. */
async function instead(path: string) {
  const { status, headers, body } = await behind.request('GET', path);
  return { status, headers: { 'content-type': String(headers['content-type']) }, body };
}

describe('lying', () => {
  let good: Image;

  beforeAll(async () => {
    good = await knownImage(troubled);
  });

  test('another manifest than the digest names', async () => {
    const image = await signedImage(troubled);
    troubled.intercept(async ({ path }) =>
      path.includes('/manifests/sha256:') ? await instead(`/v2/app/manifests/${good.digest}`) : undefined,
    );
    await expectUnsigned(image, /answers with other content than sha256:\w+ names/);
  });

  test('half of what there is', async () => {
    const image = await signedImage(troubled);
    troubled.intercept(async ({ path }, _, forward) => {
      if (!path.includes('/manifests/sha256:')) return undefined;
      const { status, headers, body } = await forward();
      return {
        status,
        headers: { 'content-type': headers['content-type'] ?? '' },
        body: body.subarray(0, body.byteLength / 2),
      };
    });
    await expectUnsigned(image, /answers with other content than sha256:\w+ names/);
  });

  test('the signatures of another image', async () => {
    const image = await unsignedImage(troubled);
    troubled.intercept(async ({ path }) =>
      path.includes(image.digest) && path.includes('/referrers/')
        ? await instead(`/v2/app/referrers/${good.digest}`)
        : undefined,
    );
    await expectUnsigned(image, new RegExp(`its subject is ${good.digest}`));
  });

  test('a tag that is said to name a good image, and brings another', async () => {
    const image = await unsignedImage(troubled);
    troubled.intercept(async ({ path }, _, forward) => {
      if (!path.endsWith(`/manifests/${image.tag}`)) return undefined;
      const { headers, ...answer } = await forward();
      return { ...answer, headers: { ...headers, 'docker-content-digest': good.digest } };
    });
    const reason = new RegExp(`answers with other content than ${good.digest} names`);
    expectUnknown(await ask(tagged(image)), tagged(image), reason);
  });

  test('that nothing is signed', async () => {
    const image = await signedImage(troubled);
    const empty = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    troubled.intercept(async ({ path }) =>
      path.includes('/referrers/')
        ? {
            status: 200,
            headers: { 'content-type': empty.mediaType },
            body: Buffer.from(JSON.stringify(empty)),
          }
        : undefined,
    );
    await expectUnsigned(image, /there is no valid signature/);
    troubled.intercept(undefined);
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
  });
});
