// The decision about pods of any make: an image that is not signed is found wherever it is, nothing but an AdmissionError ever
// comes instead of a decision, and what is written about it fits.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clusterAdvice } from '../../src/admission/advice.ts';
import type { AdmissionContext } from '../../src/admission/context.ts';
import type { AdmissionDecision, Finding } from '../../src/admission/decision.ts';
import { AdmissionError } from '../../src/admission/errors.ts';
import type { ImageJudge } from '../../src/admission/images/image-judge.ts';
import { judgeRequest } from '../../src/admission/judge-request.ts';
import { parseReview } from '../../src/admission/review/parse-review.ts';
import type { AdmissionRequest } from '../../src/admission/review/request.ts';
import { decisionReview } from '../../src/admission/review/write-review.ts';
import type { Policy } from '../../src/model/mesh.ts';
import { anonymous } from '../../src/registry/auth/credentials.ts';
import { fuzzRuns } from '../support/fuzz.ts';

const good = `registry.example/app@sha256:${'aa'.repeat(32)}`;
const bad = `registry.example/app@sha256:${'bb'.repeat(32)}`;

const verifying: Policy = {
  ...{ namespace: 'trading', name: 'images' },
  spec: {
    images: [
      {
        match: ['**'],
        authorities: [
          {
            name: 'ci',
            keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/a' }] }],
          },
        ],
      },
    ],
  },
};
const required: Policy = {
  namespace: 'trellis-system',
  name: 'base',
  spec: { postQuantumEncryption: 'required' },
};
const warning: Policy = { ...required, name: 'warn', spec: { ...required.spec, enforcement: 'warn' } };

/** Good is what has the good digest. */
const judge: ImageJudge = {
  judge: async ({ reference, policies }) => {
    const policy = policies.find(({ spec }) => spec.images !== undefined);
    const isGood = policy === undefined || good.endsWith(String(reference.digest));
    const requirement = {
      kind: 'deny',
      name: 'QuantumSecurityPolicy a/b',
      policy,
      enforcement: 'enforce',
      reasons: [],
    } as const;
    return {
      image: '',
      decision: policy === undefined ? 'no-policy' : isGood ? 'verified' : 'denied',
      ok: policy !== undefined && isGood,
      digest: reference.digest,
      requirements: isGood
        ? []
        : [{ requirement, outcome: 'unsatisfied', reasons: ['no'], verdict: undefined }],
      signatures: [],
      counted: new Set(),
    };
  },
  mustBeDigest: (_, policies) => policies.some(({ spec }) => spec.images !== undefined),
  needsRegistry: () => true,
  resolve: async () => await Promise.reject(new Error('nobody asks')),
};

async function decide(request: AdmissionRequest, policies: readonly Policy[]): Promise<AdmissionDecision> {
  const context: AdmissionContext = {
    ...{ policies, rootNamespace: 'trellis-system', judge },
    credentials: async () => ({ scope: '', source: anonymous }),
    ...{ sidecar: undefined, advice: clusterAdvice },
  };
  return await judgeRequest(request, context, new AbortController().signal);
}

function asked(object: AdmissionRequest['object'], oldObject?: AdmissionRequest['object']): AdmissionRequest {
  return {
    ...{ uid: 'uid', kind: { group: '', version: 'v1', kind: 'Pod' }, subResource: undefined },
    ...{ namespace: 'trading', name: undefined, dryRun: false },
    ...{ operation: oldObject === undefined ? 'CREATE' : 'UPDATE', object, oldObject },
  };
}

const image = fc.oneof(
  { arbitrary: fc.constant(good), weight: 8 },
  fc.constantFrom(bad, 'registry.example/app:v1', 'Bad Image'),
);
const securityContext = fc.record(
  {
    privileged: fc.boolean(),
    runAsUser: fc.constantFrom(0, 1000, 1337),
    capabilities: fc.record({ add: fc.array(fc.constantFrom('CHOWN', 'NET_ADMIN')) }),
  },
  { requiredKeys: [] },
);
const container = (list: string) =>
  fc.record(
    { name: fc.constantFrom(`${list}-a`, `${list}-b`), image, securityContext },
    { requiredKeys: ['name', 'image'] },
  );
const containers = (list: string) => fc.uniqueArray(container(list), { selector: ({ name }) => name });
const volume = fc.record({ name: fc.constantFrom('x', 'y'), image: fc.record({ reference: image }) });
const pod = fc.record({
  metadata: fc.record({ labels: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')) }),
  spec: fc.record({
    containers: containers('containers'),
    initContainers: containers('initContainers'),
    ephemeralContainers: containers('ephemeralContainers'),
    volumes: fc.uniqueArray(volume, { selector: ({ name }) => name }),
    hostNetwork: fc.boolean(),
  }),
});
type Pod = typeof pod extends fc.Arbitrary<infer T> ? T : never;

const imagesOf = ({ spec }: Pod) => [
  ...[...spec.containers, ...spec.initContainers, ...spec.ephemeralContainers].map((each) => each.image),
  ...spec.volumes.map((each) => each.image.reference),
];

describe('a pod', () => {
  test('is let in exactly when all of its images are good, wherever they are', async () => {
    const seen = { allowed: 0, denied: 0 };
    await fc.assert(
      fc.asyncProperty(pod, async (object) => {
        const { allowed, images } = await decide(asked(object), [verifying]);
        expect(allowed).toBe(imagesOf(object).every((each) => each === good));
        expect(images).toHaveLength(imagesOf(object).length);
        seen[allowed ? 'allowed' : 'denied'] += 1;
      }),
      { numRuns: fuzzRuns(300) },
    );
    expect(seen.allowed).toBeGreaterThan(0);
    expect(seen.denied).toBeGreaterThan(0);
  });

  test('as it is may always be written again; an update brings in nothing that a new pod could not have', async () => {
    const seen = { allowed: 0, denied: 0 };
    await fc.assert(
      fc.asyncProperty(pod, pod, async (before, after) => {
        const policies = [verifying, required, warning];
        expect((await decide(asked(before, before), policies)).unchanged).toBe(true);
        const updated = await decide(asked(after, before), [verifying]);
        const isThere = new Set(placesOf(before));
        const news = placesOf(after).filter((place) => !isThere.has(place));
        expect(updated.allowed).toBe(news.every((place) => place.endsWith(good)));
        seen[updated.allowed ? 'allowed' : 'denied'] += 1;
        const created = await decide(asked(after), policies);
        const also = await decide(asked(after, before), policies);
        if (created.allowed) expect(also.allowed).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
    expect(seen.allowed).toBeGreaterThan(0);
    expect(seen.denied).toBeGreaterThan(0);
  });

  test('is judged alike whatever the order of the policies, and no policy more lets it in', async () => {
    await fc.assert(
      fc.asyncProperty(pod, fc.shuffledSubarray([verifying, required, warning]), async (object, some) => {
        const decision = await decide(asked(object), some);
        const reversed = await decide(asked(object), some.toReversed());
        expect(reversed.allowed).toBe(decision.allowed);
        expect(new Set(reversed.findings)).toEqual(new Set(decision.findings));
        const all = await decide(asked(object), [verifying, required, warning]);
        if (all.allowed) expect(decision.allowed).toBe(true);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});

function placesOf({ spec }: Pod): readonly string[] {
  return [
    ...spec.containers.map((each) => `c ${each.name} ${each.image}`),
    ...spec.initContainers.map((each) => `i ${each.name} ${each.image}`),
    ...spec.ephemeralContainers.map((each) => `e ${each.name} ${each.image}`),
    ...spec.volumes.map((each) => `v ${each.name} ${each.image.reference}`),
  ];
}

/** JSON with the names that matter in it. */
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 0, 1337, '', 'a', good, 'Pod', 'v1', 'UPDATE'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'spec',
        'metadata',
        'labels',
        'containers',
        'volumes',
        'image',
        'name',
        'csi',
        'hostPath',
        'path',
        'securityContext',
        'ports',
      ),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value;

test('nothing but an AdmissionError comes instead of a decision, whatever is sent', async () => {
  const seen = { decided: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(anything, anything, fc.boolean(), async (spec, old, isUpdate) => {
      const request = {
        ...asked({ spec }),
        operation: isUpdate ? 'UPDATE' : 'CREATE',
        oldObject: { spec: old },
      };
      const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
      try {
        await decide(parseReview(JSON.parse(JSON.stringify(review))), [verifying, required]);
        seen.decided += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(AdmissionError);
        seen.refused += 1;
      }
    }),
    { numRuns: fuzzRuns(1_000) },
  );
  expect(seen.decided).toBeGreaterThan(0);
  expect(seen.refused).toBeGreaterThan(0);
});

const anyFinding: fc.Arbitrary<Finding> = fc.record({
  code: fc.constantFrom('image-denied', 'image-unknown', 'privileged'),
  enforcement: fc.constantFrom('enforce', 'warn', 'audit'),
  policy: fc.constantFrom(undefined, 'a/b' as const),
  field: fc.option(fc.string(), { nil: undefined }),
  message: fc.string({ unit: 'binary', maxLength: 3_000 }),
});

test('an answer fits, and says nothing that a terminal or a header would act on', () => {
  fc.assert(
    fc.property(fc.array(anyFinding, { maxLength: 60 }), (findings) => {
      const allowed = findings.every(({ enforcement }) => enforcement !== 'enforce');
      const { response } = decisionReview('uid', { allowed, findings, images: [], unchanged: false });
      expect(response.allowed).toBe(allowed);
      const warnings = response.warnings ?? [];
      expect(warnings.reduce((sum, text) => sum + [...text].length, 0)).toBeLessThanOrEqual(3_072);
      expect(warnings.join('')).not.toMatch(/\p{Cc}/u);
      const message = response.status?.message ?? '';
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4_096);
      expect(message.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      for (const value of Object.values(response.auditAnnotations ?? {})) {
        expect(Buffer.byteLength(value)).toBeLessThanOrEqual(2_048);
      }
    }),
    { numRuns: fuzzRuns(300) },
  );
});
