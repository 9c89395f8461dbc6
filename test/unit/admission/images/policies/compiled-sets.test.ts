import { expect, test } from 'vitest';
import type { KeySources } from '../../../../../src/admission/images/policies/authorities.ts';
import {
  type CompiledSetsOptions,
  createCompiledSets,
} from '../../../../../src/admission/images/policies/compiled-sets.ts';
import type { CompiledImagePolicies } from '../../../../../src/admission/images/policies/requirement.ts';
import type { PublicKey } from '../../../../../src/signing/keys/public-key.ts';
import { repository } from '../../../signing/verify/support.ts';
import { policyOf } from '../support.ts';

const nothing: KeySources = {
  kms: () => Promise.reject(new Error('no key management service')),
  configMap: async () => undefined,
};
let now = new Date(0);

function compiledSets(changes: Partial<CompiledSetsOptions> = {}) {
  now = new Date(0);
  return createCompiledSets({
    ...{ sources: nothing, keyRefreshMs: 1_000, maxSets: 2, now: () => now },
    ...changes,
  });
}

async function keysOf(compiled: CompiledImagePolicies): Promise<readonly PublicKey[]> {
  const [requirement] = compiled.requirementsOn(repository);
  if (requirement?.kind !== 'verify') throw new Error('nothing to verify');
  const policy = await requirement.verificationPolicy(new AbortController().signal);
  return policy.authorities.flatMap(({ keysets }) => keysets.flatMap(({ keys }) => keys));
}

const [a, b, c] = [policyOf(undefined, 'a'), policyOf(undefined, 'b'), policyOf(undefined, 'c')];

test('a set is compiled once, in whatever order and list it comes', () => {
  const { compiledOf } = compiledSets();
  const compiled = compiledOf([a, b]);
  expect(compiledOf([b, a])).toBe(compiled);
  expect(compiledOf([a])).not.toBe(compiled);
  // What has been read anew may have changed.
  expect(compiledOf([a, { ...b }])).not.toBe(compiled);
});

test('until keys may have changed, and so many sets and no more', () => {
  const { compiledOf } = compiledSets();
  const compiled = compiledOf([a]);
  now = new Date(999);
  expect(compiledOf([a])).toBe(compiled);
  now = new Date(1_000);
  const anew = compiledOf([a]);
  expect(anew).not.toBe(compiled);
  compiledOf([b]);
  compiledOf([c]);
  expect(compiledOf([a])).not.toBe(anew);
});

test('equal keys are one object in all sets', async () => {
  const { compiledOf } = compiledSets();
  const first = await keysOf(compiledOf([a]));
  const second = await keysOf(compiledOf([b]));
  expect(first).toHaveLength(2);
  for (const [index, key] of first.entries()) expect(second[index]).toBe(key);
});
