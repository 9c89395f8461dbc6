import { expect, test, vi } from 'vitest';
import { compileImagePolicies } from '../../../../../src/admission/images/policies/compile-image-policies.ts';
import type { Requirement } from '../../../../../src/admission/images/policies/requirement.ts';
import { SigningError } from '../../../../../src/signing/errors.ts';
import { repository, slsa } from '../../../signing/verify/support.ts';
import { authority, ml, policyOf, rule } from '../support.ts';

const { signal } = new AbortController();
const byKms = (name: string) =>
  policyOf(
    {
      images: [
        rule({
          authorities: [
            authority({
              keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }],
            }),
          ],
          attestations: [{ predicateType: slsa, condition: 'predicate.good' }],
        }),
      ],
    },
    name,
  );

function policyFrom(requirement: Requirement | undefined) {
  if (requirement?.kind !== 'verify') throw new Error('nothing to verify');
  return requirement.verificationPolicy(signal);
}

test('globs and conditions are compiled once, and keys asked for once, for any number of images', async () => {
  const kms = vi.fn(async () => ml.publicKey);
  const compiled = compileImagePolicies([byKms('a')], { kms, configMap: async () => undefined });
  expect(kms).not.toHaveBeenCalled();
  const [first] = compiled.requirementsOn(repository);
  const [second] = compiled.requirementsOn('registry.example/trading/other');
  expect(first).toBe(second);
  const policies = await Promise.all([policyFrom(first), policyFrom(second), policyFrom(first)]);
  expect(kms).toHaveBeenCalledTimes(1);
  expect(new Set(policies).size).toBe(1);
  expect(await policyFrom(first)).toBe(policies[0]);
  expect(kms).toHaveBeenCalledTimes(1);
});

test('a failure is forgotten: who asks next tries again', async () => {
  let failing = true;
  const kms = vi.fn(async () => {
    if (failing) throw new SigningError('ERR_KMS_UNAVAILABLE', 'away');
    return ml.publicKey;
  });
  const compiled = compileImagePolicies([byKms('a')], { kms, configMap: async () => undefined });
  const [requirement] = compiled.requirementsOn(repository);
  await expect(policyFrom(requirement)).rejects.toMatchObject({
    code: 'ERR_KMS_UNAVAILABLE',
    message: 'authority ci, keyset a, ML-DSA-65: away',
  });
  failing = false;
  expect((await policyFrom(requirement)).authorities[0]?.keysets[0]?.keys).toEqual([ml.publicKey]);
  expect(kms).toHaveBeenCalledTimes(2);
});

test('one rule that two policies share is looked up in the namespace of each', async () => {
  const asked: string[] = [];
  const configMapRef = { name: 'trust', key: 'k', spkiSha256: ml.publicKey.spkiSha256 };
  const shared = rule({
    authorities: [authority({ keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', configMapRef }] }] })],
  });
  const policies = ['x', 'y'].map((namespace) => policyOf({ images: [shared] }, 'p', namespace));
  const compiled = compileImagePolicies(policies, {
    kms: async () => ml.publicKey,
    configMap: async (namespace) => {
      asked.push(namespace);
      return undefined;
    },
  });
  await Promise.allSettled(compiled.requirementsOn(repository).map(policyFrom));
  expect(asked).toEqual(['x', 'y']);
});
