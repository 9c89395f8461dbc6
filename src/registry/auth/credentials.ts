// Who we are to a registry.

import type { Repository } from '../reference.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token for the registry's token endpoint. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token for the registry itself. */
  | { readonly kind: 'registry-token'; readonly token: string };

/**
 * Credentials for a repository, for the registry of exactly that name and no other; undefined for none.
 * @throws RegistryError ERR_REGISTRY_CONFIGURATION
 */
export type CredentialSource = (
  repository: Repository,
  signal?: AbortSignal,
) => Promise<Credentials | undefined>;

export const anonymous: CredentialSource = async () => undefined;

/** RFC 7617 §2. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
