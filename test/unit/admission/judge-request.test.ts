import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { AdmissionContext } from '../../../src/admission/context.ts';
import { type AdmissionDecision, isUnanswered } from '../../../src/admission/decision.ts';
import type { AdmissionRequest } from '../../../src/admission/review/request.ts';
import type { Policy } from '../../../src/model/mesh.ts';
import type { Enforcement } from '../../../src/policy/enforcement.ts';
import { RegistryError } from '../../../src/registry/errors.ts';
import { ociIndex, ociManifest } from '../../../src/registry/media-types.ts';
import type { FakeRegistry } from '../signing/verify/fake-registry.ts';
import { digest, repository } from '../signing/verify/support.ts';
import {
  container,
  contextOf,
  create,
  decisionOn,
  deployment,
  judgeOver,
  meshed,
  pod,
  settings,
  signedImage,
  unsignedImage,
  update,
  workloads,
} from './decide/support.ts';
import {
  authority,
  hybrid,
  inlineKey,
  keyset,
  otherHybrid,
  policyOf,
  rule,
  signedRegistry,
} from './images/support.ts';

let registry: FakeRegistry;
beforeEach(() => {
  registry = signedRegistry();
});

const signed = policyOf();
const byOthers = policyOf({
  images: [rule({ authorities: [authority({ keysets: [keyset('others', otherHybrid)] })] })],
});
const required = policyOf({ postQuantumEncryption: 'required' }, 'base');
const preferred = policyOf({ postQuantumEncryption: 'preferred' }, 'base');
const unsigned = container({ name: 'other', image: unsignedImage });

const decide = async (
  request: AdmissionRequest,
  policies: readonly Policy[],
  changes: Partial<AdmissionContext> = {},
): Promise<AdmissionDecision> => await decisionOn(request, contextOf(registry, policies, changes));

const codesOf = ({ findings }: AdmissionDecision) => findings.map(({ code }) => code);
const fieldsOf = ({ findings }: AdmissionDecision) => findings.map(({ field }) => field);

describe('which images are judged', () => {
  test('a signed one is let in, and it is written down what was judged', async () => {
    const decision = await decide(create(pod()), [signed]);
    expect(decision).toEqual({
      allowed: true,
      findings: [],
      images: [{ image: signedImage, field: 'spec.containers[0].image', decision: 'verified', digest }],
      unchanged: false,
    });
  });

  const places: Record<string, readonly [object: AdmissionRequest['object'], field: string]> = {
    container: [pod({ containers: [container(), unsigned] }), 'spec.containers[1].image'],
    'init container': [pod({ initContainers: [unsigned] }), 'spec.initContainers[0].image'],
    'ephemeral container': [pod({ ephemeralContainers: [unsigned] }), 'spec.ephemeralContainers[0].image'],
    'image volume': [
      pod({ volumes: [{ name: 'model', image: { reference: unsignedImage } }] }),
      'spec.volumes[0].image.reference',
    ],
    'pod that is being deleted': [
      {
        ...pod({ containers: [unsigned] }),
        metadata: { name: 'app', deletionTimestamp: '2026-11-21T12:00:00Z' },
      },
      'spec.containers[0].image',
    ],
    'pod with annotations that speak for it': [
      {
        ...pod({ containers: [unsigned] }),
        metadata: {
          name: 'app',
          annotations: {
            'kubernetes.io/config.mirror': 'a1',
            'kubernetes.io/config.source': 'file',
            'trellis.quantum.io/verified': 'true',
          },
        },
      },
      'spec.containers[0].image',
    ],
  };
  test.each(Object.entries(places))('%s', async (_place, [object, field]) => {
    const decision = await decide(create(object), [signed]);
    expect(decision).toMatchObject({ allowed: false, findings: [{ code: 'image-not-verified', field }] });
  });

  test.each(Object.entries(workloads))('the template of a %s', async (_name, [kind, around]) => {
    const template = { spec: { containers: [container()], initContainers: [unsigned] } };
    const decision = await decide(create(around(template), { kind }), [signed]);
    expect(decision.allowed).toBe(false);
    expect(decision.findings[0]?.field).toMatch(/^spec\..*template\.spec\.initContainers\[0\]\.image$/);
    const good = { spec: { containers: [container()] } };
    expect((await decide(create(around(good), { kind }), [signed])).allowed).toBe(true);
  });

  test('one image in many places is judged once, and written down for each', async () => {
    const judge = judgeOver(registry);
    const asked = vi.spyOn(judge, 'judge');
    const many = pod({
      containers: [container(), container({ name: 'b', image: `${repository}:v1@${digest}` })],
      initContainers: [container({ name: 'c' })],
    });
    const { images } = await decide(create(many), [signed], { judge });
    expect(asked).toHaveBeenCalledTimes(2);
    expect(images.map(({ field }) => field)).toEqual([
      'spec.initContainers[0].image',
      'spec.containers[0].image',
      'spec.containers[1].image',
    ]);
  });

  test('all must be good: the best of them helps none of the others', async () => {
    const decision = await decide(create(pod({ containers: [container(), unsigned] })), [signed]);
    expect(decision.images.map((image) => image.decision)).toEqual(['verified', 'denied']);
    expect(decision.allowed).toBe(false);
  });

  test('an object of more images than can be judged in time is refused, not judged in part', async () => {
    const containers = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        container({ name: `c${index}`, image: `registry.example/trading/app-${index}@${digest}` }),
      );
    const allow = policyOf({ images: [{ match: ['**'], action: 'allow' }] });
    expect((await decide(create(pod({ containers: containers(200) })), [allow])).allowed).toBe(true);
    await expect(decide(create(pod({ containers: containers(201) })), [allow])).rejects.toMatchObject({
      code: 'ERR_POD_INVALID',
    });
  });
});

describe('whose policies hold', () => {
  test('those of the root namespace and its own, and all must allow', async () => {
    const root = { ...byOthers, namespace: 'trellis-system' };
    expect((await decide(create(pod()), [signed, root])).findings).toMatchObject([
      { code: 'image-not-verified', policy: 'trellis-system/images' },
    ]);
  });

  test('a weaker policy of another namespace lets nothing in, and a stricter one refuses nothing', async () => {
    const weak = policyOf({ images: [{ match: ['**'], action: 'allow' }] }, 'weak', 'playground');
    expect((await decide(create(pod()), [byOthers, weak])).allowed).toBe(false);
    expect((await decide(create(pod()), [signed, { ...byOthers, namespace: 'playground' }])).allowed).toBe(
      true,
    );
  });

  test('without any, everything is let in', async () => {
    const decision = await decide(create(pod({ containers: [unsigned], hostNetwork: true })), []);
    expect(decision).toMatchObject({ allowed: true, findings: [], images: [{ decision: 'no-policy' }] });
    expect(registry.asked).toEqual([]);
  });

  test('one that only warns says what it would deny, one that audits too, and the enforced come first', async () => {
    const warning = policyOf({ ...byOthers.spec, enforcement: 'warn' }, 'b-warn');
    const auditing = policyOf({ ...byOthers.spec, enforcement: 'audit' }, 'a-audit');
    const soft = await decide(create(pod()), [auditing, warning, signed]);
    expect(soft).toMatchObject({ allowed: true, images: [{ decision: 'verified' }] });
    expect(soft.findings.map(({ enforcement }) => enforcement)).toEqual(['warn', 'audit']);
    const hard = await decide(create(pod({ containers: [unsigned] })), [auditing, warning, signed]);
    expect(hard.findings.map(({ enforcement }) => enforcement)).toEqual(['enforce', 'warn', 'audit']);
  });
});

describe('a tag', () => {
  const tagged = container({ image: `${repository}:v1` });

  test('is refused in a pod, however good the image is that it names now', async () => {
    const decision = await decide(create(pod({ containers: [tagged] })), [signed]);
    expect(decision).toMatchObject({ allowed: false, images: [{ decision: 'verified', digest }] });
    expect(decision.findings).toMatchObject([
      { code: 'image-not-digest', enforcement: 'enforce', policy: 'trading/images' },
    ]);
    expect(decision.findings[0]?.message).toContain(`write ${repository}:v1@${digest}`);
    // By whose demand, and not by that of those who only warn.
    const warning = policyOf({ ...signed.spec, enforcement: 'warn' }, 'other');
    expect(
      (await decide(create(pod({ containers: [tagged] })), [warning, signed])).findings[0],
    ).toMatchObject({
      code: 'image-not-digest',
      policy: 'trading/images',
    });
  });

  test('without its name as well', async () => {
    const decision = await decide(create(pod({ containers: [container({ image: repository })] })), [signed]);
    expect(codesOf(decision)).toEqual(['image-not-digest']);
  });

  test('is a warning in a template', async () => {
    const decision = await decide(deployment({ spec: { containers: [tagged] } }), [signed]);
    expect(decision).toMatchObject({
      allowed: true,
      findings: [{ code: 'image-not-digest', enforcement: 'warn' }],
    });
  });

  test('is fine where nothing that is enforced demands a signature', async () => {
    const allow = policyOf({ images: [{ match: ['**'], action: 'allow' }] }, 'allow');
    const warning = policyOf({ ...signed.spec, enforcement: 'warn' });
    const decision = await decide(create(pod({ containers: [tagged] })), [allow, warning]);
    expect(decision).toMatchObject({ allowed: true, findings: [] });
  });

  test('is refused where digests are revoked: it could come to name one', async () => {
    const revoking = policyOf(
      { enforcement: 'audit', revoked: { digests: [`sha256:${'00'.repeat(32)}`] } },
      'revoked',
    );
    const decision = await decide(create(pod({ containers: [tagged] })), [revoking]);
    expect(decision.findings).toMatchObject([{ code: 'image-not-digest', policy: 'trading/revoked' }]);
    expect(decision.allowed).toBe(false);
  });
});

describe('a name without a registry', () => {
  const allow = policyOf({ images: [{ match: ['docker.io/**'], action: 'allow' }] }, 'allow');
  const short = (image = 'fedora') => pod({ containers: [container({ image })] });

  test('is refused in a pod where a policy enforces rules about images', async () => {
    const decision = await decide(create(short()), [allow]);
    expect(decision.allowed).toBe(false);
    expect(decision.findings).toMatchObject([
      { code: 'image-not-qualified', policy: 'trading/allow', field: 'spec.containers[0].image' },
    ]);
    expect(decision.findings[0]?.message).toContain('write docker.io/library/fedora:latest if that is meant');
  });

  test('is refused next to the same image by its full name', async () => {
    const images = ['docker.io/library/fedora', 'fedora'].map((image) => container({ name: image, image }));
    const decision = await decide(create(pod({ containers: images })), [allow]);
    expect(decision.findings).toMatchObject([
      { code: 'image-not-qualified', field: 'spec.containers[1].image' },
    ]);
    expect(decision.images).toHaveLength(2);
  });

  test('is a warning in a template', async () => {
    expect(
      await decide(deployment({ spec: { containers: [container({ image: 'fedora' })] } }), [allow]),
    ).toMatchObject({
      allowed: true,
      findings: [{ code: 'image-not-qualified', enforcement: 'warn' }],
    });
  });

  test.each(['docker.io/fedora', 'docker.io/library/fedora:41', 'index.docker.io/fedora'])(
    '%s has one',
    async (image) => {
      expect(await decide(create(short(image)), [allow])).toMatchObject({ allowed: true, findings: [] });
    },
  );

  test('says nothing where no policy enforces rules about images', async () => {
    const warning = policyOf({ ...allow.spec, enforcement: 'warn' });
    for (const policies of [[], [warning], [required].slice(1)]) {
      expect((await decide(create(short()), policies)).findings).toEqual([]);
    }
  });

  test('with a digest is fine where the content is verified, and not where its place is what allows it', async () => {
    const hub = policyOf({
      images: [rule({ match: ['docker.io/**'], authorities: [authority()], bindReference: 'none' })],
    });
    const image = `trading/app@${digest}`;
    expect(await decide(create(short(image)), [hub])).toMatchObject({ allowed: true, findings: [] });
    expect(codesOf(await decide(create(short(image)), [allow]))).toEqual(['image-not-qualified']);
    expect(codesOf(await decide(create(short(image)), [hub, allow]))).toEqual(['image-not-qualified']);
  });
});

test('the policy that revokes an image in an index is named', async () => {
  const inside = `sha256:${'0a'.repeat(32)}` as const;
  registry.manifest = async (_, wanted) => {
    const manifest = {
      kind: 'index',
      mediaType: ociIndex,
      manifests: [{ mediaType: ociManifest, digest: inside, size: 1 }],
    } as const;
    return { digest: wanted, bytes: Buffer.from('{}'), mediaType: ociIndex, manifest };
  };
  const other = policyOf({ revoked: { digests: [`sha256:${'00'.repeat(32)}`] } }, 'other');
  const revoking = policyOf({ revoked: { digests: [inside] } }, 'revoking');
  const decision = await decide(create(pod()), [signed, other, revoking]);
  expect(decision).toMatchObject({
    allowed: false,
    findings: [{ code: 'image-revoked', enforcement: 'enforce', policy: 'trading/revoking' }],
  });
  expect(decision.findings[0]?.message).toContain(`${inside} in it is revoked`);
});

test('the ID of an image on the node is no name of one', async () => {
  const local = create(pod({ containers: [container({ image: 'sha256:0123456789ab' })] }));
  const anything = policyOf({ images: [{ match: ['**'], action: 'allow' }] });
  expect(codesOf(await decide(local, [anything]))).toEqual(['image-invalid']);
  expect((await decide(local, [anything])).allowed).toBe(false);
});

describe('text that names no image', () => {
  const bad = create(pod({ containers: [container({ image: 'Registry.example/App:x y\u202e' })] }));

  test('is refused where something that is enforced asks about images', async () => {
    const decision = await decide(bad, [signed]);
    expect(decision).toMatchObject({ allowed: false, images: [{ decision: 'invalid' }] });
    expect(decision.findings).toMatchObject([{ code: 'image-invalid', policy: 'trading/images' }]);
    // Nothing in a message turns the direction of writing.
    expect(decision.findings[0]?.message).toMatch(/^[\x20-\x7e…]*$/);
  });

  test('is refused where a digest is revoked, and warned of otherwise', async () => {
    const audit: Policy['spec'] = { enforcement: 'audit' };
    const revoking = policyOf({ ...audit, revoked: { digests: [digest] } });
    expect((await decide(bad, [revoking])).allowed).toBe(false);
    const enforcements = async (policies: readonly Policy[]) =>
      (await decide(bad, policies)).findings.map(({ enforcement }) => enforcement);
    expect(await enforcements([])).toEqual(['warn']);
    expect(await enforcements([policyOf({ ...signed.spec, ...audit })])).toEqual(['audit']);
    expect(await enforcements([policyOf({ ...signed.spec, enforcement: 'warn' })])).toEqual(['warn']);
  });

  test.each([undefined, null, '', '   '])(
    '%j is no image of a pod, and may be missing in a template',
    async (image) => {
      const empty = { spec: { containers: [{ name: 'app', image }] } };
      expect((await decide(create(empty), [signed])).allowed).toBe(false);
      expect(await decide(deployment(empty), [signed])).toMatchObject({ allowed: true, images: [] });
    },
  );
});

describe('a tag that its registry does not have', () => {
  const tagged = pod({ containers: [container({ image: 'registry.example/trading/gateway:1.4' })] });
  const revoking = policyOf({ revoked: { digests: [`sha256:${'ab'.repeat(32)}`] } });
  beforeEach(() => {
    registry.tags = [];
  });

  test.each([
    ['a Pod', create(tagged)],
    ['a template', deployment(tagged)],
  ])('of %s is a denial, and nothing is said of pinning it', async (_, request) => {
    const decision = await decide(request, [signed]);
    expect(codesOf(decision)).toEqual(['image-not-found']);
    expect(decision).toMatchObject({ allowed: false, images: [{ decision: 'unknown', digest: undefined }] });
    expect(decision.findings[0]).toMatchObject({ policy: 'trading/images' });
    expect(decision.findings[0]?.message).toMatch(
      /^image \S+:1\.4 cannot be held against QuantumSecurityPolicy trading\/images, rule 1: no such tag; registries also say this .* pull secrets of the pod$/,
    );
    expect(isUnanswered(decision)).toBe(false);
    expect(codesOf(await decide(request, [revoking]))).toEqual(['image-not-found']);
  });

  test('is no more than its policy makes of it', async () => {
    const warning = policyOf({ ...signed.spec, enforcement: 'warn' });
    const decision = await decide(create(tagged), [warning]);
    expect([decision.allowed, codesOf(decision)]).toEqual([true, ['image-not-found']]);
  });

  test('is another thing than a part of an image that is there, or a registry that does not answer', async () => {
    registry.tags = [digest];
    registry.listError = new RegistryError('ERR_REGISTRY_NOT_FOUND', 'no list');
    expect(codesOf(await decide(create(tagged), [signed]))).toEqual(['image-not-digest', 'image-unknown']);
    registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    expect(codesOf(await decide(create(tagged), [signed]))).toEqual(['image-not-digest', 'image-unknown']);
  });
});

describe('what is not known', () => {
  beforeEach(() => {
    registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'registry.example does not answer');
  });

  test('is not let in, with the reason', async () => {
    const decision = await decide(create(pod()), [signed]);
    expect(decision).toMatchObject({ allowed: false, images: [{ decision: 'unknown' }] });
    expect(decision.findings).toMatchObject([{ code: 'image-unknown', policy: 'trading/images' }]);
    expect(decision.findings[0]?.message).toContain('registry.example does not answer');
  });

  test('comes with what to do, for whoever is told', async () => {
    const messageOf = ({ findings }: AdmissionDecision) => findings[0]?.message;
    const inCluster = await decide(create(pod()), [signed]);
    expect(messageOf(inCluster)).toMatch(/this says nothing about the image: try again.*timeoutSeconds/);
    const advice = {
      notKnown: 'ask',
      notFound: 'look',
      policyUnusable: 'mend',
      notWritten: 'write',
      noSidecar: 'inject',
    };
    expect(messageOf(await decide(create(pod()), [signed], { advice }))).toMatch(
      /nothing about the image: ask$/,
    );
    const tagged = pod({ containers: [container({ image: 'registry.example/trading/gateway:1.4' })] });
    expect(messageOf(await decide(create(tagged), [signed], { advice }))).toMatch(
      / judged; write .*, write$/,
    );
    const short = pod({ containers: [container({ image: 'busybox:1' })] });
    const allow = policyOf({ images: [{ match: ['**'], action: 'allow' }] });
    expect(messageOf(await decide(create(short), [allow], { advice }))).toMatch(/ if that is meant, write$/);
    const required = policyOf({ postQuantumEncryption: 'required' });
    const nowhere = { advice, sidecar: undefined };
    expect(messageOf(await decide(create(pod()), [required], nowhere))).toMatch(/can keep that; inject$/);
    expect(messageOf(await decide(create(pod()), [required], { sidecar: undefined }))).toMatch(
      /sidecar\.image of the chart/,
    );
    const judge = judgeOver(registry);
    vi.spyOn(judge, 'judge').mockRejectedValueOnce(new Error('out of order'));
    expect(messageOf(await decide(create(pod()), [signed], { advice, judge }))).toMatch(
      /out of order; .*: ask$/,
    );
    registry.tags = [];
    expect(messageOf(await decide(create(tagged), [signed], { advice }))).toMatch(/: no such tag; look$/);
  });

  test('of a policy that cannot be used is said to be its mistake', async () => {
    const keys = hybrid
      .map(inlineKey)
      .map((key, index) => (index === 0 ? { ...key, algorithm: 'ML-DSA-87' as const } : key));
    const unusable = policyOf({
      images: [rule({ authorities: [authority({ keysets: [{ name: 'a', keys }] })] })],
    });
    const decision = await decide(create(pod()), [unusable]);
    expect(decision).toMatchObject({ allowed: false, findings: [{ code: 'policy-unusable' }] });
    const { message } = decision.findings[0] ?? {};
    expect(message).toMatch(
      /QuantumSecurityPolicy trading\/images, rule 1: .*authority ci, keyset a, ML-DSA-87: the key there is of ML-DSA-65/,
    );
    expect(message).toMatch(/have those who keep the policy correct it/);
    expect(message).not.toMatch(/try again|says nothing about the image/);
  });

  describe('because nothing of a policy can be used', () => {
    const closed = (enforcement: Enforcement): Policy => ({
      ...policyOf({ enforcement, images: [{ match: ['**'], action: 'deny' }] }),
      unusable: 'spec.images[0].attestations[0].condition: a is not known',
    });

    test('is refused with its mistake, and not with a rule that nobody wrote', async () => {
      const decision = await decide(create(pod()), [closed('enforce')]);
      expect(decision).toMatchObject({ allowed: false, images: [{ decision: 'unknown' }] });
      expect(decision.findings).toMatchObject([{ code: 'policy-unusable', policy: 'trading/images' }]);
      const { message } = decision.findings[0] ?? {};
      expect(message).toMatch(
        /QuantumSecurityPolicy trading\/images: .*condition: a is not known; .*lets no image in: have those who keep/,
      );
      expect(message).not.toContain('rule 1');
      expect(isUnanswered(decision)).toBe(true);
      // No registry is asked about what is refused anyway.
      const tag = create(pod({ containers: [container({ image: 'registry.example/trading/gateway:1.4' })] }));
      registry.tags = [];
      expect(codesOf(await decide(tag, [closed('enforce')]))).toEqual(['policy-unusable']);
      const beside = await decide(create(pod()), [closed('enforce'), policyOf(signed.spec, 'other')]);
      expect(codesOf(beside)).toContain('policy-unusable');
    });

    test.each(['warn', 'audit'] as const)('is let in where that is %s, and so it is said', async (soft) => {
      const decision = await decide(create(pod()), [closed(soft)]);
      expect(decision).toMatchObject({
        allowed: true,
        findings: [{ code: 'policy-unusable', enforcement: soft }],
      });
      expect(decision.findings[0]?.message).not.toContain('lets no image in');
    });
  });

  test('is let in by a policy that only warns', async () => {
    const decision = await decide(create(pod()), [policyOf({ ...signed.spec, enforcement: 'warn' })]);
    expect(decision).toMatchObject({
      allowed: true,
      findings: [{ code: 'image-unknown', enforcement: 'warn' }],
    });
  });

  test('is not let in when the judge itself fails, nor when it refuses without a reason', async () => {
    const judge = judgeOver(registry);
    vi.spyOn(judge, 'judge').mockRejectedValueOnce(new Error('out of order'));
    const failed = await decide(create(pod()), [signed], { judge });
    expect(failed).toMatchObject({ allowed: false, images: [{ decision: 'unknown' }] });
    expect(failed.findings[0]?.message).toContain('out of order');
    for (const decision of ['denied', 'unknown'] as const) {
      vi.spyOn(judge, 'judge').mockResolvedValueOnce({
        ...{ image: signedImage, decision, ok: false, digest, requirements: [], signatures: [] },
        counted: new Set(),
      });
      expect((await decide(create(pod()), [signed], { judge })).allowed).toBe(false);
    }
  });
});

describe('credentials', () => {
  const failing = async () => await Promise.reject(new Error('the API server is away'));
  const allow = policyOf({
    images: [{ match: ['docker.io/**'], action: 'allow' }, rule(), { match: ['**'], action: 'deny' }],
  });

  test('that cannot be had take nothing from images that need no registry', async () => {
    const image = `docker.io/library/nginx@${digest}`;
    const context = { credentials: failing };
    expect(
      (await decide(create(pod({ containers: [container({ image })] })), [allow], context)).allowed,
    ).toBe(true);
    const both = pod({ containers: [container({ name: 'nginx', image }), container()] });
    const decision = await decide(create(both), [allow], context);
    expect(decision.images.map((each) => each.decision)).toEqual(['allowed', 'unknown']);
    expect(decision.findings).toMatchObject([{ code: 'image-unknown', field: 'spec.containers[1].image' }]);
    expect(decision.findings[0]?.message).toContain('the API server is away');
  });

  test('are waited for by the images that need them alone', async () => {
    const waiting = Promise.withResolvers<never>();
    const judge = judgeOver(registry);
    const asked = vi.spyOn(judge, 'judge');
    const image = `docker.io/library/nginx@${digest}`;
    const both = pod({ containers: [container(), container({ name: 'nginx', image })] });
    const pending = decide(create(both), [allow], { credentials: () => waiting.promise, judge });
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(1));
    expect(asked.mock.calls[0]?.[0].reference.path).toBe('library/nginx');
    waiting.reject(new Error('too late'));
    expect((await pending).allowed).toBe(false);
  });

  test('are asked for once, for this pod, and not at all where nothing needs them', async () => {
    const context = contextOf(registry, [signed]);
    const credentials = vi.fn(context.credentials);
    const who = { serviceAccountName: 'desk', imagePullSecrets: [{ name: 'b' }, { name: 'a' }, {}] };
    const object = pod({ ...who, containers: [container(), container({ name: 'b', image: unsignedImage })] });
    await decide(create(object), [signed], { credentials });
    expect(credentials.mock.calls.map(([identity]) => identity)).toEqual([
      { namespace: 'trading', serviceAccountName: 'desk', imagePullSecrets: ['b', 'a'] },
    ]);
    await decide(create(pod({ containers: [container({ image: 'docker.io/x' })] })), [allow], {
      credentials,
    });
    await decide(update(object, object), [signed], { credentials });
    expect(credentials).toHaveBeenCalledTimes(1);
  });

  test('that failed are shared with nobody', async () => {
    const judge = judgeOver(registry);
    const asked = vi.spyOn(judge, 'judge');
    for (const uid of ['a', 'b']) {
      await decide(create(pod(), { uid }), [signed], { credentials: failing, judge });
    }
    const scopes = asked.mock.calls.map(([{ credentials }]) => credentials.scope);
    expect(new Set(scopes).size).toBe(2);
    // Each has its turn by itself, and its namespace together.
    expect(asked.mock.calls.map(([{ asker }]) => asker)).toEqual([
      { tenant: 'trading', request: 'a' },
      { tenant: 'trading', request: 'b' },
    ]);
  });
});

describe('an update of a pod', () => {
  const running = pod({
    containers: [unsigned, container()],
    volumes: [{ name: 'm', image: { reference: unsignedImage } }],
  });
  const withLabels = (object: AdmissionRequest['object'], labels: Readonly<Record<string, string>>) => ({
    ...object,
    metadata: { name: 'app', labels },
  });

  test('that changes no image and no label that counts passes, whatever the policies say now', async () => {
    const finalizing = { ...running, metadata: { name: 'app', finalizers: [], labels: { any: 'thing' } } };
    const decision = await decide(update(running, finalizing), [byOthers, required]);
    expect(decision).toEqual({ allowed: true, findings: [], images: [], unchanged: true });
  });

  test('judges the image that it changes, and that one alone', async () => {
    const worse = pod({
      ...(running['spec'] as object),
      containers: [unsigned, container({ image: `${repository}@sha256:${'cd'.repeat(32)}` })],
    });
    const decision = await decide(update(running, worse), [signed]);
    expect(decision).toMatchObject({ allowed: false, unchanged: false });
    expect(fieldsOf(decision)).toEqual(['spec.containers[1].image']);
    const better = pod({
      ...(running['spec'] as object),
      containers: [container({ name: 'other' }), container()],
    });
    expect(await decide(update(running, better), [signed])).toMatchObject({
      allowed: true,
      images: [{ field: 'spec.containers[0].image', decision: 'verified' }],
    });
  });

  test('judges an image that another container, list or volume of the pod has already', async () => {
    const moved = {
      container: pod({ containers: [unsigned, { ...unsigned, name: 'app' }] }),
      list: pod({ containers: [unsigned, container()], initContainers: [{ ...unsigned, name: 'init' }] }),
      volume: pod({
        containers: [unsigned, container()],
        volumes: [{ name: 'n', image: { reference: unsignedImage } }],
      }),
    };
    for (const [what, object] of Object.entries(moved)) {
      expect((await decide(update(running, object), [signed])).allowed, what).toBe(false);
    }
  });

  test('judges an image whose tag is the same and whose container is new', async () => {
    const before = pod({ containers: [container({ image: `${repository}:v1` })] });
    const same = { ...before, metadata: { annotations: { a: 'b' } } };
    expect((await decide(update(before, same), [signed])).unchanged).toBe(true);
    const after = pod({
      containers: [
        container({ image: `${repository}:v1` }),
        container({ name: 'b', image: `${repository}:v1` }),
      ],
    });
    expect(codesOf(await decide(update(before, after), [signed]))).toEqual(['image-not-digest']);
  });

  test('judges added ephemeral containers: images and promises, not those of before', async () => {
    const sub = { subResource: 'ephemeralcontainers' };
    const before = meshed(pod({ hostNetwork: true, containers: [unsigned] }));
    const spec = before['spec'] as object;
    const debug = (changes: object) => ({
      ...before,
      spec: { ...spec, ephemeralContainers: [{ name: 'debug', image: signedImage, ...changes }] },
    });
    const policies = [signed, required];
    expect(await decide(update(before, debug({}), sub), policies)).toMatchObject({
      allowed: true,
      unchanged: false,
    });
    const refused: Record<string, object> = {
      'image-not-verified': { image: unsignedImage },
      capability: { securityContext: { capabilities: { add: ['SYS_PTRACE'] } } },
      privileged: { securityContext: { privileged: true } },
      'proxy-uid': { securityContext: { runAsUser: 1337 } },
      'shared-processes': { targetContainerName: 'trellis-proxy' },
      'identity-exposed': { volumeMounts: [{ name: 'trellis-agent', mountPath: '/x' }] },
    };
    for (const [code, changes] of Object.entries(refused)) {
      const decision = await decide(update(before, debug(changes), sub), policies);
      expect(decision.allowed, code).toBe(false);
      expect(codesOf(decision)).toEqual([code]);
      expect(fieldsOf(decision)[0]).toContain('spec.ephemeralContainers[0]');
    }
  });

  test('judges the promises anew when a label changes that a policy selects on', async () => {
    const selecting = policyOf(
      { postQuantumEncryption: 'preferred', selector: { matchLabels: { app: 'desk' } } },
      'desk',
    );
    const labelled = withLabels(pod(), { app: 'desk' });
    const decision = await decide(update(pod(), labelled), [selecting]);
    expect(decision).toMatchObject({
      allowed: false,
      findings: [{ code: 'sidecar-missing', policy: 'trading/desk' }],
    });
    // Not of its doing where it was selected before, too.
    const also = withLabels(pod(), { app: 'desk', tier: 'a' });
    expect(await decide(update(labelled, also), [selecting])).toMatchObject({
      allowed: true,
      unchanged: true,
    });
    expect((await decide(update(meshed(pod()), meshed(labelled)), [selecting])).allowed).toBe(true);
  });

  test('a policy that comes to select the pod hears of all that it breaks', async () => {
    const selecting = policyOf(
      { postQuantumEncryption: 'required', selector: { matchLabels: { app: 'desk' } } },
      'desk',
    );
    const before = meshed(pod({ hostPID: true }));
    const decision = await decide(update(before, withLabels(before, { app: 'desk' })), [
      selecting,
      preferred,
    ]);
    expect(codesOf(decision)).toEqual(['host-processes']);
  });

  test('judges the sidecar when its image changes', async () => {
    const before = meshed(pod());
    const spec = before['spec'] as { initContainers: readonly object[] };
    const forged = {
      ...before,
      spec: { ...spec, initContainers: [{ ...spec.initContainers[0], image: signedImage }] },
    };
    const decision = await decide(update(before, forged), [signed, required]);
    expect(codesOf(decision)).toContain('sidecar-altered');
    expect(decision.allowed).toBe(false);
  });

  const next = {
    revisions: [{ name: '1-41-0', image: `registry.example/envoy@sha256:${'e2'.repeat(32)}` }] as const,
  };

  describe('by a resize', () => {
    const sub = { subResource: 'resize' };
    /** As what breaks other promises, and holds an unsigned image, has been running since before the policies. */
    const before = meshed(pod({ hostPID: true, containers: [unsigned] }));
    type Lists = Readonly<Record<'containers' | 'initContainers', readonly object[]>>;
    const resized = (list: keyof Lists, resources: object) => {
      const spec = before['spec'] as Lists;
      return { ...before, spec: { ...spec, [list]: spec[list].map((each) => ({ ...each, resources })) } };
    };
    const larger = { requests: { cpu: '2' } };

    test.each([settings, next])('of its own containers passes', async (sidecar) => {
      const request = update(before, resized('containers', larger), sub);
      for (const policy of [required, preferred]) {
        expect(await decide(request, [signed, policy], { sidecar })).toMatchObject({
          allowed: true,
          findings: [],
          unchanged: false,
        });
      }
    });

    // Of a revision that is accepted, and of one that is not any more.
    test.each([settings, next])('of the sidecar is refused', async (sidecar) => {
      const request = update(before, resized('initContainers', larger), sub);
      for (const policy of [required, preferred]) {
        const decision = await decide(request, [signed, policy], { sidecar });
        expect(decision.allowed).toBe(false);
        expect(codesOf(decision)).toContain('sidecar-altered');
      }
      expect((await decide(request, [signed], { sidecar })).allowed).toBe(true);
    });

    test('back to what is injected passes', async () => {
      const request = update(resized('initContainers', larger), before, sub);
      expect((await decide(request, [signed, required])).allowed).toBe(true);
    });
  });

  test('of a revision that is no longer accepted, other images can still change', async () => {
    const before = meshed(pod({ containers: [unsigned] }));
    const after = meshed(pod({ containers: [container({ name: 'other' })] }));
    expect(await decide(update(before, after), [signed, required], { sidecar: next })).toMatchObject({
      allowed: true,
      images: [{ decision: 'verified' }],
    });
  });
});

describe('an update of a template', () => {
  const template = { metadata: { labels: { app: 'desk' } }, spec: { containers: [unsigned, container()] } };
  const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const change = async (after: object, policies: readonly Policy[] = [signed]) =>
    await decide(
      update({ spec: { template } }, { spec: { replicas: 3, template: after } }, { kind }),
      policies,
    );

  test('that leaves it as it is passes', async () => {
    expect(await change(template)).toMatchObject({ allowed: true, unchanged: true });
    const restarted = {
      ...template,
      metadata: { labels: { app: 'desk' }, annotations: { restartedAt: 'now' } },
    };
    expect(await change(restarted)).toMatchObject({ allowed: true, unchanged: true });
  });

  test('that changes anything else is judged in full', async () => {
    const after = { ...template, spec: { ...template.spec, nodeName: 'a' } };
    expect(await change(after)).toMatchObject({ allowed: false, unchanged: false });
  });

  test('by a label that a policy selects on as well', async () => {
    const selecting = policyOf(
      { complianceLevel: 'CNSA-2.0', selector: { matchLabels: { app: 'other' } } },
      'cnsa',
    );
    const after = { ...template, metadata: { labels: { app: 'other' } }, spec: { containers: [] } };
    const before = { ...template, spec: { containers: [] } };
    const request = update({ spec: { template: before } }, { spec: { template: after } }, { kind });
    expect(codesOf(await decide(request, [selecting, required]))).toContain('compliance-not-enforceable');
  });
});

describe('the sidecar', () => {
  test.each([required, preferred])('a pod without it is refused', async (policy) => {
    const decision = await decide(create(pod()), [policy]);
    expect(decision.findings).toMatchObject([{ code: 'sidecar-missing', policy: 'trading/base' }]);
    expect(decision.allowed).toBe(false);
    expect(await decide(create(meshed(pod())), [policy])).toMatchObject({ allowed: true, findings: [] });
  });

  test('its image is not judged by rules about images when it is the one that is injected', async () => {
    const deny = policyOf({ images: [rule(), { match: ['**'], action: 'deny' }] });
    const decision = await decide(create(meshed(pod())), [deny, required]);
    expect(decision).toMatchObject({ allowed: true, images: [{ image: signedImage }] });
  });

  test('beside it, everything is judged as it would be without', async () => {
    const init = { name: 'init', image: unsignedImage, securityContext: { privileged: true } };
    const volume = { name: 'm', image: { reference: unsignedImage } };
    const decision = await decide(create(meshed(pod({ initContainers: [init], volumes: [volume] }))), [
      signed,
      required,
    ]);
    expect(codesOf(decision)).toEqual(['image-not-verified', 'privileged']);
    expect(decision.images.map(({ field }) => field)).toEqual([
      'spec.initContainers[1].image',
      'spec.containers[0].image',
      'spec.volumes[0].image.reference',
    ]);
  });

  test('what only bears its name is judged like everything else, and refused', async () => {
    const forged = (initContainers: readonly object[], extra: object = {}) =>
      create(pod({ initContainers, ...extra }));
    const impostor = { name: 'trellis-proxy', image: unsignedImage, restartPolicy: 'Always' };
    const decision = await decide(forged([impostor]), [signed, required]);
    expect(codesOf(decision)).toEqual(['image-not-verified', 'sidecar-altered']);
    const elsewhere = await decide(
      create(meshed(pod({ containers: [container(), { name: 'trellis-proxy', image: unsignedImage }] }))),
      [signed, required],
    );
    expect(codesOf(elsewhere)).toEqual(expect.arrayContaining(['image-not-verified', 'sidecar-altered']));
  });

  test('a template has none yet', async () => {
    const decision = await decide(deployment({ spec: { containers: [container()] } }), [signed, required]);
    expect(decision).toMatchObject({ allowed: true, findings: [] });
  });

  test('without injection, `required` refuses every pod and template and says how to switch it on', async () => {
    for (const request of [create(meshed(pod())), deployment({ spec: { containers: [container()] } })]) {
      const decision = await decide(request, [required], { sidecar: undefined });
      expect(decision.allowed).toBe(false);
      expect(decision.findings[0]).toMatchObject({ code: 'sidecar-missing', policy: 'trading/base' });
      expect(decision.findings[0]?.message).toMatch(/sidecar\.image .*--sidecar-image/);
    }
    expect((await decide(create(pod()), [preferred], { sidecar: undefined })).allowed).toBe(true);
  });

  test('nobody is refused for it where no policy speaks of encryption', async () => {
    expect(await decide(create(pod()), [signed])).toMatchObject({ allowed: true, findings: [] });
    const disabled = policyOf({ postQuantumEncryption: 'disabled' }, 'base');
    expect(await decide(create(pod()), [disabled])).toMatchObject({ allowed: true, findings: [] });
  });

  test('a pod for Windows, or on the network of its node, may be without it under `preferred` alone', async () => {
    for (const spec of [{ os: { name: 'windows' } }, { hostNetwork: true }]) {
      expect(await decide(create(pod(spec)), [preferred])).toMatchObject({ allowed: true, findings: [] });
      expect((await decide(create(pod(spec)), [required])).allowed).toBe(false);
    }
  });

  test('a forged one is refused on the network of the node as well', async () => {
    const forged = pod({
      hostNetwork: true,
      initContainers: [{ name: 'trellis-proxy', image: signedImage }],
    });
    expect(codesOf(await decide(create(forged), [preferred]))).toEqual(['sidecar-altered']);
  });

  test('under a policy that is tried out nothing is missed, and a forged one is named', async () => {
    const trying = policyOf({ postQuantumEncryption: 'required', enforcement: 'warn' }, 'base');
    expect(await decide(create(pod()), [trying])).toMatchObject({ allowed: true, findings: [] });
    const forged = create(pod({ initContainers: [{ name: 'trellis-proxy', image: signedImage }] }));
    expect((await decide(forged, [trying])).findings).toMatchObject([
      { code: 'sidecar-altered', enforcement: 'warn', policy: 'trading/base' },
    ]);
    // Others that are tried out have nothing to do with it.
    const soft = policyOf({ ...signed.spec, enforcement: 'warn' });
    expect((await decide(forged, [trying, soft])).findings).toContainEqual(
      expect.objectContaining({ code: 'sidecar-altered', policy: 'trading/base' }),
    );
    expect(codesOf(await decide(forged, [soft]))).toEqual([]);
  });
});

describe('what is refused without being judged', () => {
  const kinds: Record<string, Partial<AdmissionRequest>> = {
    'a kind of which nobody knows where its pods are': {
      kind: { group: 'argoproj.io', version: 'v1alpha1', kind: 'Rollout' },
    },
    'a version of a kind': { kind: { group: 'apps', version: 'v1beta1', kind: 'Deployment' } },
    'a part of a pod': { subResource: 'binding' },
    'a part of a workload': {
      kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
      subResource: 'ephemeralcontainers',
    },
  };
  test.each(Object.entries(kinds))('%s', async (_what, changes) => {
    await expect(decide(create(pod(), changes), [])).rejects.toMatchObject({ code: 'ERR_KIND_NOT_JUDGED' });
  });
});

test('the first revision of the settings is no better than the others', async () => {
  const older = { name: '1-39-0', image: `registry.example/envoy@sha256:${'e0'.repeat(32)}` };
  const both = { revisions: [older, ...settings.revisions] as const };
  expect((await decide(create(meshed(pod())), [required], { sidecar: both })).allowed).toBe(true);
});

test.each([0, 1])('one of the two signatures of a keyset is not enough, whichever is left', async (index) => {
  registry.listed.splice(index, 1);
  expect(codesOf(await decide(create(pod()), [signed]))).toEqual(['image-not-verified']);
});
