// Policies as a platform team writes them, over the keys and the registry in memory of the verifier's tests.

import { toPem } from '../../../../src/crypto/pem.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import type { ImageRule } from '../../../../src/policy/images/image-requirements.ts';
import { ociManifest } from '../../../../src/registry/media-types.ts';
import { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { bundleBytes, digest, payloadBy, type TestKey, testKey } from '../../signing/verify/support.ts';

export const ml: TestKey = testKey('ML-DSA-65');
export const ec: TestKey = testKey('ECDSA-P256');
export const hybrid: readonly TestKey[] = [ml, ec];
export const otherHybrid: readonly TestKey[] = [testKey('ML-DSA-65'), testKey('ECDSA-P256')];

export type AuthoritySpec = NonNullable<ImageRule['authorities']>[number];
export type KeysetSpec = NonNullable<AuthoritySpec['keysets']>[number];
type KeySpec = KeysetSpec['keys'][number];

export function pemOf({ publicKey }: TestKey): string {
  return toPem('PUBLIC KEY', publicKey.spki);
}

export function inlineKey(key: TestKey): KeySpec {
  return { algorithm: key.publicKey.algorithm, publicKey: pemOf(key) };
}

export function keyset(
  name: string,
  keys: readonly TestKey[],
  changes: Partial<KeysetSpec> = {},
): KeysetSpec {
  return { name, keys: keys.map(inlineKey), ...changes };
}

export function authority(changes: Partial<AuthoritySpec> = {}): AuthoritySpec {
  return { name: 'ci', keysets: [keyset('ci-2026', hybrid)], ...changes };
}

/** Satisfied by what `signedRegistry` has. */
export function rule(changes: Partial<ImageRule> = {}): ImageRule {
  return { match: ['registry.example/trading/**'], authorities: [authority()], ...changes };
}

export function policyOf(
  spec: Policy['spec'] = { images: [rule()] },
  name = 'images',
  namespace = 'trading',
): Policy {
  return { namespace, name, spec };
}

export function attach(
  registry: FakeRegistry,
  keys: readonly TestKey[],
  changes: Parameters<typeof payloadBy>[1] = {},
): void {
  const payload = payloadBy(keys, changes);
  const { predicateType } = changes;
  for (const key of keys) {
    registry.attach(bundleBytes(key, payload), predicateType === undefined ? {} : { predicateType });
  }
}

const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };

/** The image has one signing by the hybrid keyset, and is an image. */
export function signedRegistry(): FakeRegistry {
  const registry = new FakeRegistry();
  const manifest = { schemaVersion: 2, mediaType: ociManifest, config, layers: [] };
  registry.manifests.set(digest, Buffer.from(JSON.stringify(manifest)));
  attach(registry, hybrid);
  return registry;
}
