// Ways around the verification of images, on a real API server: each of these has let something in somewhere. What is admitted must
// be the bytes that were judged, and what was judged must be what the keys of the policy signed.

import { createHash } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { apply, imagesOf, messageOf, podManifest, podSpec } from '../support/admission/pods.ts';
import { type RegistryFront, startRegistryFront } from '../support/admission/registry-front.ts';
import { type Half, makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { type PushedManifest, pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const slsa = 'https://slsa.dev/provenance/v1';
const indexType = 'application/vnd.oci.image.index.v1+json';

let cluster: AdmissionCluster;
let registry: TestRegistry;
let front: RegistryFront;
let ci: TestSigner;

beforeAll(async () => {
  registry = await startRegistry({ kind: 'ggcr' });
  front = await startRegistryFront(registry);
  cluster = await startAdmission({ plainHttp: [front.host] });
  ci = await makeSigner();
  const rule = (more: object = {}) => ({
    match: [`${front.host}/**`],
    authorities: [ci.authority()],
    ...more,
  });
  const policies: Record<string, object> = {
    trading: { images: [rule()] },
    // Signatures that stock cosign made say nothing of a repository.
    cosigned: {
      images: [rule({ authorities: [ci.authority('ci', ['ECDSA-P256'])], bindReference: 'none' })],
    },
    copies: { images: [rule({ bindReference: 'none' })] },
    attested: { images: [rule({ attestations: [{ predicateType: slsa }] })] },
  };
  for (const [namespace, spec] of Object.entries(policies)) {
    await cluster.createNamespace(namespace);
    await cluster.applyPolicy(namespace, 'images', spec);
  }
});

beforeEach(() => {
  front.intercept(undefined);
});

const at = (repository: string, name: string) => `${front.host}/${repository}${name}`;

async function signed(repository: string, tag?: string): Promise<PushedManifest> {
  const image = await front.push({ repository, ...(tag !== undefined && { tag }) });
  await ci.sign(image.reference);
  return image;
}

let pods = 0;

/** What the API server says to a pod with the image; the message of a refusal. */
async function ask(image: string, namespace = 'trading') {
  pods += 1;
  const name = `pod-${pods}`;
  const answer = await cluster.createPod(namespace, name, podSpec(image));
  const [stored] = await imagesOf(cluster.kube, namespace, name);
  return { status: answer.status, message: messageOf(answer), stored };
}

const missing = (half: Half) => `there is no valid signature of ${half} key`;

describe('a tag that moves', () => {
  test('between the two webhooks: what runs is what was judged', async () => {
    const good = await signed('app', 'moving');
    let asked = 0;
    front.intercept(async ({ path }, _response, forward) => {
      if (path !== '/v2/app/manifests/moving') return undefined;
      asked += 1;
      const answer = await forward();
      await pushTestImage(registry, { repository: 'app', tag: 'moving' });
      return answer;
    });
    const image = at('app', ':moving');
    expect(await ask(image)).toMatchObject({ status: 201, stored: `${image}@${good.digest}` });
    expect(asked).toBe(1);
  });

  test('after what it named was found good: the next pod is refused, though the digest is remembered', async () => {
    const good = await signed('app', 'moved');
    const image = at('app', ':moved');
    expect(await ask(image)).toMatchObject({ status: 201 });
    const bad = await front.push({ repository: 'app', tag: 'moved' });
    const next = await ask(image);
    expect(next).toMatchObject({ status: 403, stored: undefined });
    expect(next.message).toContain(bad.digest);
    expect(await ask(at('app', `@${good.digest}`))).toMatchObject({ status: 201 });
  });

  test('to and fro: no pod ever has what was not signed', async () => {
    const good = await signed('app', 'flapping');
    const bad = await front.push({ repository: 'other' });
    let asked = 0;
    front.intercept(async ({ path }, _response, forward) => {
      if (path !== '/v2/app/manifests/flapping') return undefined;
      asked += 1;
      const { headers } = await forward();
      const body = asked % 2 === 0 ? good.bytes : bad.bytes;
      const digest = asked % 2 === 0 ? good.digest : bad.digest;
      const lengths = { 'content-length': String(body.byteLength), 'docker-content-digest': digest };
      return { status: 200, headers: { ...headers, ...lengths }, body };
    });
    const image = at('app', ':flapping');
    const answers = [await ask(image), await ask(image), await ask(image), await ask(image)];
    expect(answers.map(({ status }) => status)).toEqual([403, 201, 403, 201]);
    expect(new Set(answers.map(({ stored }) => stored))).toEqual(
      new Set([undefined, `${image}@${good.digest}`]),
    );
  });

  test('a registry that calls other bytes by the digest that is signed', async () => {
    const good = await signed('app', 'called');
    const bad = await front.push({ repository: 'other' });
    front.intercept(async ({ path }, _response, forward) => {
      if (path !== '/v2/app/manifests/called') return undefined;
      const { headers } = await forward();
      return { status: 200, headers: { ...headers, 'content-length': String(bad.size) }, body: bad.bytes };
    });
    const answer = await ask(at('app', ':called'));
    expect([403, 503], answer.message).toContain(answer.status);
    expect(answer.stored).toBeUndefined();
    expect(good.digest).not.toBe(bad.digest);
  });
});

describe('signatures that are not the whole', () => {
  /** Whoever may push may delete. */
  async function remove(repository: string, manifest: string): Promise<void> {
    const { status } = await registry.request('DELETE', `/v2/${repository}/manifests/${manifest}`);
    expect(status).toBe(202);
  }

  test.each(['ML-DSA-65', 'ECDSA-P256'] as const)('the %s half is stripped', async (half) => {
    const image = await signed('stripped');
    const victim = (await ci.attached(image.reference)).find(({ claims }) => claims.algorithm === half);
    await remove('stripped', victim?.manifest ?? '');
    const answer = await ask(image.reference);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain(missing(half));
  });

  test('halves of two signings', async () => {
    const image = await front.push({ repository: 'halves' });
    await ci.sign(image.reference, '-a', 'build=1');
    const first = (await ci.attached(image.reference)).map(({ manifest }) => manifest);
    await ci.sign(image.reference, '-a', 'build=2');
    expect(await ask(image.reference, 'copies')).toMatchObject({ status: 201 });
    for (const { manifest, claims } of await ci.attached(image.reference)) {
      const isFirst = first.includes(manifest);
      if (claims.algorithm === (isFirst ? 'ML-DSA-65' : 'ECDSA-P256')) await remove('halves', manifest);
    }
    const left = await ci.attached(image.reference);
    expect(left.map(({ claims }) => claims.algorithm).toSorted()).toEqual(['ECDSA-P256', 'ML-DSA-65']);
    const answer = await ask(image.reference);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain('no valid signature');
  });

  test('a signature made for another repository, which counts only where none is asked for', async () => {
    const image = await signed('own');
    const copied = at('copied', `@${image.digest}`);
    await ci.copy(image.reference, at('copied', ':1'));
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
    const answer = await ask(copied);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain(at('own', ''));
    expect(await ask(copied, 'copies')).toMatchObject({ status: 201 });
  });

  test('statements are no signatures, and signatures no statements', async () => {
    const image = await front.push({ repository: 'attested' });
    await ci.attest(image.reference, slsa);
    expect(await ask(image.reference)).toMatchObject({ status: 403 });
    const other = await signed('attested');
    expect(await ask(other.reference)).toMatchObject({ status: 201 });
    const answer = await ask(other.reference, 'attested');
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain(slsa);
    await ci.attest(other.reference, slsa);
    expect(await ask(other.reference, 'attested')).toMatchObject({ status: 201 });
  });

  test('by a stranger, under the same name', async () => {
    const stranger = await makeSigner();
    const image = await front.push({ repository: 'app' });
    await stranger.sign(image.reference);
    expect(await ask(image.reference)).toMatchObject({ status: 403 });
  });
});

describe('stock cosign', () => {
  test('is enough where a policy asks for no more than it signs, and nowhere else', async () => {
    const image = await front.push({ repository: 'cosigned', tag: '1' });
    const tag = at('cosigned', ':1');
    const before = await apply(cluster.kube, podManifest('cosigned', 'before', podSpec(tag)));
    expect(before.status).toBe(1);
    await ci.cosign(image.reference);
    const after = await apply(cluster.kube, podManifest('cosigned', 'after', podSpec(tag)));
    expect(after).toMatchObject({ status: 0, stderr: '' });
    expect(await imagesOf(cluster.kube, 'cosigned', 'after')).toEqual([`${tag}@${image.digest}`]);
    for (const namespace of ['trading', 'copies']) {
      const answer = await ask(image.reference, namespace);
      expect(answer, namespace).toMatchObject({ status: 403 });
      expect(answer.message).toContain(missing('ML-DSA-65'));
    }
  });
});

describe('revocation wins, whoever signed and whatever the enforcement of its policy', () => {
  test.each(['enforce', 'warn', 'audit'])('of a digest, by a policy that says %s', async (enforcement) => {
    const image = await signed('revoked', enforcement);
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
    await cluster.applyPolicy('trading', 'revoked', { enforcement, revoked: { digests: [image.digest] } });
    const answer = await ask(image.reference);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain('is revoked');
    const byTag = await ask(at('revoked', `:${enforcement}`));
    expect(byTag).toMatchObject({ status: 403 });
    // By another name it is the same image.
    await ci.copy(image.reference, at('renamed', `:${enforcement}`));
    await ci.sign(at('renamed', `:${enforcement}`));
    expect((await ask(at('renamed', `@${image.digest}`))).message).toContain('is revoked');
    await cluster.deletePolicy('trading', 'revoked');
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
  });

  test.each(['enforce', 'warn', 'audit'])('of a key, by a policy that says %s', async (enforcement) => {
    const image = await signed('revoked');
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
    const keys = [ci.fingerprints['ML-DSA-65']];
    await cluster.applyPolicy('trading', 'revoked', { enforcement, revoked: { keys } });
    const answer = await ask(image.reference);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain('revoked');
    await cluster.deletePolicy('trading', 'revoked');
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
  });
});

describe('a registry that lies', () => {
  test('about the bytes of a signature', async () => {
    const image = await signed('lying');
    front.intercept(async ({ path }, _response, forward) => {
      if (!path.startsWith('/v2/lying/blobs/') && !path.startsWith('/v2/lying/manifests/')) return undefined;
      const answer = await forward();
      return { ...answer, body: Buffer.from(answer.body.toString('latin1').replace('a', 'b'), 'latin1') };
    });
    const answer = await ask(image.reference);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toContain('no valid signature');
    front.intercept(undefined);
    expect(await ask(image.reference)).toMatchObject({ status: 201 });
  });

  test('by hiding signatures: nobody is let in on its silence', async () => {
    const image = await signed('hiding');
    front.intercept(async ({ path }) => {
      if (!path.startsWith('/v2/hiding/referrers/')) return undefined;
      const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [] }));
      return { status: 200, headers: { 'content-type': indexType }, body };
    });
    expect(await ask(image.reference)).toMatchObject({ status: 403 });
  });

  test('by showing signatures of another image', async () => {
    const good = await signed('showing');
    const bad = await front.push({ repository: 'showing' });
    front.intercept(async ({ path }, _response, forward) => {
      if (path !== `/v2/showing/referrers/${bad.digest}`) return undefined;
      const own = await forward();
      const shown = await registry.request('GET', `/v2/showing/referrers/${good.digest}`);
      return { ...own, headers: { 'content-type': indexType }, body: shown.body };
    });
    expect(await ask(bad.reference)).toMatchObject({ status: 403 });
    expect(await ask(good.reference)).toMatchObject({ status: 201 });
  });

  test('with what is an index and an image at once: it is not signed here, and not pinned where others have signed it', async () => {
    const image = await signed('both');
    const own = JSON.parse(image.bytes.toString()) as object;
    const bytes = Buffer.from(JSON.stringify({ ...own, mediaType: undefined, manifests: [] }));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    for (const name of [digest, 'both']) {
      const put = await registry.request('PUT', `/v2/both/manifests/${name}`, bytes, indexType);
      expect(put.status).toBe(201);
    }
    await expect(ci.sign(at('both', ':both'))).rejects.toThrow('this manifest is not taken');
    await ci.cosign(at('both', `@${digest}`));
    const answer = await ask(at('both', ':both'), 'cosigned');
    expect([403, 503], answer.message).toContain(answer.status);
    expect(answer.stored).toBeUndefined();
  });
});
