// From the authorities a QuantumSecurityPolicy names to the keys they sign with. Whoever calls says where keys that are
// not written into the policy come from; what cannot be had, or is not what the policy pinned, is an error, never a
// shorter list.

import { createHash } from 'node:crypto';
import type {
  ImageAuthority as AuthoritySpec,
  ImageKey as KeySpec,
} from '../../../policy/images/compliance.ts';
import { SigningError } from '../../../signing/errors.ts';
import type { IdentityPattern } from '../../../signing/keyless/identity-pattern.ts';
import { keylessVerifier } from '../../../signing/keyless/keyless-verifier.ts';
import { parseTrustedRoot } from '../../../signing/keyless/trusted-root.ts';
import { type PublicKey, publicKeyFromPem } from '../../../signing/keys/public-key.ts';
import type { Authority, Keyset } from '../../../signing/verify/policy.ts';
import { KeyNotAskedError } from './key-not-asked.ts';
import type { TrustPool } from './trust-pool.ts';

type KeysetSpec = NonNullable<AuthoritySpec['keysets']>[number];
type KeylessSpec = NonNullable<AuthoritySpec['keyless']>;

/** Where a policy's keys are, apart from the policy itself. */
export interface KeySources {
  /** The public key of a key management service's key. */
  kms(uri: string, signal?: AbortSignal): Promise<PublicKey>;
  /** The bytes of an entry of a ConfigMap; undefined when there is none. */
  configMap(
    namespace: string,
    name: string,
    key: string,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined>;
}

/** For whom keys are looked up, and for how long. */
export interface Resolution {
  readonly sources: KeySources;
  /** Of the policy: its ConfigMaps are there, and nowhere else. */
  readonly namespace: string;
  readonly pool: TrustPool;
  readonly signal: AbortSignal;
}

/**
 * The authorities with their keys.
 * @throws SigningError ERR_PUBLIC_KEY_INVALID, ERR_TRUSTED_ROOT_INVALID, and what the sources throw, naming authority and keyset
 */
export async function resolveAuthorities(
  specs: readonly AuthoritySpec[],
  resolution: Resolution,
): Promise<readonly Authority[]> {
  return await all(specs.map((spec) => resolveAuthority(spec, resolution)));
}

async function resolveAuthority(
  { name, threshold = 1, keysets = [], keyless }: AuthoritySpec,
  resolution: Resolution,
): Promise<Authority> {
  const keyed = all(keysets.map((keyset) => resolveKeyset(name, keyset, resolution)));
  if (keyless === undefined) return { name, threshold, keysets: await keyed, keyless };
  const identified = resolveKeyless(name, keyless, resolution);
  await all<unknown>([keyed, identified]);
  return { name, threshold, keysets: await keyed, keyless: await identified };
}

async function resolveKeyset(
  authority: string,
  { name, notAfter, keys }: KeysetSpec,
  resolution: Resolution,
): Promise<Keyset> {
  const resolved = keys.map(async (spec) => {
    const where = `authority ${authority}, keyset ${name}, ${spec.algorithm}`;
    const key = await resolveKey(where, spec, resolution);
    if (key.algorithm === spec.algorithm) return resolution.pool.key(key);
    throw new SigningError('ERR_PUBLIC_KEY_INVALID', `${where}: the key there is of ${key.algorithm}`);
  });
  return {
    name,
    notAfter: notAfter === undefined ? undefined : instant(authority, name, notAfter),
    keys: await all(resolved),
  };
}

/** What a keyset lets in for ever because its date cannot be read would be worse than an error. */
function instant(authority: string, keyset: string, text: string): Date {
  const date = new Date(text);
  if (!Number.isNaN(date.getTime())) return date;
  throw new SigningError(
    'ERR_VERIFICATION_POLICY_INVALID',
    `authority ${authority}, keyset ${keyset}: notAfter ${JSON.stringify(text)} is no date`,
  );
}

async function resolveKey(
  where: string,
  { publicKey, kms, configMapRef }: KeySpec,
  resolution: Resolution,
): Promise<PublicKey> {
  if (publicKey !== undefined) return await named(where, () => publicKeyFromPem(publicKey));
  if (kms !== undefined) return await named(where, () => resolution.sources.kms(kms, resolution.signal));
  if (configMapRef === undefined)
    throw new SigningError('ERR_PUBLIC_KEY_INVALID', `${where}: no key is given`);
  const { name, key, spkiSha256 } = configMapRef;
  const bytes = await entry(where, name, key, resolution);
  const found = await named(where, () => publicKeyFromPem(Buffer.from(bytes).toString('utf8')));
  if (found.spkiSha256 === spkiSha256) return found;
  throw new SigningError(
    'ERR_PUBLIC_KEY_INVALID',
    `${where}: ConfigMap ${name} holds key ${found.spkiSha256}, and the policy pins ${spkiSha256}; whoever changed the ConfigMap did not change the policy`,
  );
}

async function resolveKeyless(
  authority: string,
  { trustedRoot, ...identity }: KeylessSpec,
  resolution: Resolution,
): Promise<NonNullable<Authority['keyless']>> {
  const { name, key, sha256 } = trustedRoot.configMapRef;
  const where = `authority ${authority}, keyless`;
  const bytes = await entry(where, name, key, resolution);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) {
    throw new SigningError(
      'ERR_TRUSTED_ROOT_INVALID',
      `${where}: the trusted root in ConfigMap ${name} has SHA-256 ${found}, and the policy pins ${sha256}; whoever changed the ConfigMap did not change the policy`,
    );
  }
  return await named(where, () => {
    const issuer = pattern(identity, 'issuer');
    const subject = pattern(identity, 'subject');
    // Everything that the verifier depends on: the hash stands for the bytes, which have it.
    return resolution.pool.keyless([sha256, issuer, subject], () =>
      keylessVerifier({ issuer, subject, trustedRoot: parseTrustedRoot(bytes) }),
    );
  });
}

/** The schema has exactly one of the two. */
function pattern(identity: Omit<KeylessSpec, 'trustedRoot'>, what: 'issuer' | 'subject'): IdentityPattern {
  const exact = identity[what];
  if (exact !== undefined) return exact;
  const regexp = identity[`${what}RegExp`];
  if (regexp !== undefined) return { regexp };
  throw new SigningError(
    'ERR_VERIFICATION_POLICY_INVALID',
    `a keyless authority names no ${what}: give ${what} or ${what}RegExp`,
  );
}

async function entry(
  where: string,
  name: string,
  key: string,
  { sources, namespace, signal }: Resolution,
): Promise<Uint8Array> {
  const bytes = await sources.configMap(namespace, name, key, signal);
  if (bytes !== undefined) return bytes;
  throw new SigningError(
    'ERR_VERIFICATION_POLICY_INVALID',
    `${where}: there is no entry ${key} in a ConfigMap ${name} of the policy's namespace`,
  );
}

async function all<T>(tasks: readonly Promise<T>[]): Promise<readonly T[]> {
  try {
    return await Promise.all(tasks);
  } catch (error) {
    if (!(error instanceof KeyNotAskedError)) throw error;
    // That one key is not asked for must not hide what is wrong with another.
    const isOther = (reason: unknown) => !(reason instanceof KeyNotAskedError);
    const outcomes = await Promise.allSettled(tasks);
    const wrong = outcomes.find((each) => each.status === 'rejected' && isOther(each.reason));
    throw wrong?.status === 'rejected' ? wrong.reason : error;
  }
}

/** Messages say which of a policy's many keys they are about. */
async function named<T>(where: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    throw new SigningError(error.code, `${where}: ${error.message}`, error);
  }
}
