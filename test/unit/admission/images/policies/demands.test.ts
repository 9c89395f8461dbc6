import { beforeEach, expect, test } from 'vitest';
import { imageJudgeOver } from '../../../../../src/admission/images/create-image-judge.ts';
import type { Policy } from '../../../../../src/model/mesh.ts';
import { anonymous } from '../../../../../src/registry/auth/credentials.ts';
import { parseReference } from '../../../../../src/registry/reference.ts';
import type { FakeRegistry } from '../../../signing/verify/fake-registry.ts';
import { digest, now, repository } from '../../../signing/verify/support.ts';
import { signedImage } from '../../decide/support.ts';
import { policyOf, rule, signedRegistry } from '../support.ts';

let registry: FakeRegistry;
let judge: ReturnType<typeof imageJudgeOver>;
beforeEach(() => {
  registry = signedRegistry();
  judge = imageJudgeOver(() => registry.client, {
    keySources: { kms: () => Promise.reject(new Error('none')), configMap: async () => undefined },
    now: () => now,
  });
});

const { signal } = new AbortController();
const verifying = policyOf({ images: [rule()] }, 'verifying');
const denying = (spec: Policy['spec'] = {}) =>
  policyOf({ images: [rule({ action: 'deny' })], ...spec }, 'denying');
const elsewhere = policyOf({ images: [rule({ match: ['elsewhere.example/**'] })] }, 'elsewhere');

async function ask(policies: readonly Policy[], reference = `${repository}:v1`) {
  const credentials = { scope: 'node', source: anonymous };
  return await judge.judge({ reference: parseReference(reference), policies, credentials, signal });
}

test.each<[string, readonly Policy[]]>([
  ['by a rule', [verifying, denying()]],
  ['because no rule matches it', [verifying, elsewhere]],
  ['where digests are revoked, too', [verifying, denying({ revoked: { digests: [digest] } })]],
])('no registry is asked about what is denied already, %s', async (_, policies) => {
  for (const reference of [`${repository}:v1`, `${repository}@sha256:${'11'.repeat(32)}`]) {
    const judged = await ask(policies, reference);
    expect(judged).toMatchObject({ decision: 'denied', ok: false });
    expect(judged.requirements.map(({ outcome }) => outcome)).toEqual(['unsatisfied']);
    // Nor is its tag resolved, for nothing.
    expect(judge.mustBeDigest(parseReference(reference), policies)).toBe(false);
    expect(judge.needsRegistry(parseReference(reference), policies)).toBe(false);
  }
  expect(registry.asked).toEqual([]);
});

test('that its digest is revoked is still said', async () => {
  const policies = [verifying, denying({ revoked: { digests: [digest] } })];
  const judged = await ask(policies, `${repository}@${digest}`);
  expect(judged.requirements.flatMap(({ reasons }) => reasons).join()).toMatch(/is revoked/);
  expect(registry.asked).toEqual([]);
});

test('what is not enforced denies nothing: the registry is asked', async () => {
  const judged = await ask([verifying, denying({ enforcement: 'warn' })]);
  expect(judged.requirements.map(({ outcome }) => outcome).toSorted()).toEqual(['satisfied', 'unsatisfied']);
  expect(judged.decision).toBe('verified');
  expect(registry.requests()).toBeGreaterThan(0);
});

const needs = (image: string, ...policies: readonly Policy[]) =>
  judge.needsRegistry(parseReference(image), policies);

test('a signature takes a registry, and no other rule does', () => {
  expect(needs(signedImage)).toBe(false);
  expect(needs(signedImage, policyOf())).toBe(true);
  expect(needs(signedImage, policyOf({ images: [rule()], enforcement: 'audit' }))).toBe(true);
  expect(needs('docker.io/library/nginx', policyOf())).toBe(false);
  const others = policyOf(
    {
      images: [
        { match: ['docker.io/**'], action: 'allow' },
        { match: ['**'], action: 'deny' },
      ],
    },
    'others',
  );
  expect(needs('nginx', others)).toBe(false);
  expect(needs('registry.example/x', others)).toBe(false);
  const lenient = { ...others, spec: { ...others.spec, enforcement: 'warn' as const } };
  expect(needs(signedImage, lenient, policyOf())).toBe(true);
});

test('so does every image where digests are revoked, other than those', () => {
  const revoking = policyOf({ revoked: { digests: [`sha256:${'00'.repeat(32)}`] } });
  expect(needs('nginx', revoking)).toBe(true);
  expect(needs(signedImage, revoking)).toBe(true);
  expect(needs(signedImage, policyOf({ revoked: { digests: [digest] } }))).toBe(false);
  expect(needs('nginx', policyOf({ revoked: { keys: ['00'.repeat(32)] } }))).toBe(false);
});

test('a signature that no keyset of the policy may make takes none', () => {
  expect(needs(signedImage, policyOf({ images: [rule()], complianceLevel: 'CNSA-2.0' }))).toBe(false);
});
