// What the control plane vouches with: its CA, the join tokens and the agents admitted with them, all in one directory.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openAgentRegistry, type PodBinding } from '../identity/agent-registry.ts';
import { type TrustBundle, trustBundleToPem } from '../identity/bundle.ts';
import { caExpiryWarning } from '../identity/ca.ts';
import { openCaDirectory } from '../identity/ca-directory.ts';
import { createSvidIssuer, type IssuedSvid, requestedKey } from '../identity/issuer.ts';
import { type Redeemed, redeemJoinToken } from '../identity/join-tokens.ts';
import {
  ensurePrivateDirectory,
  nodeStorage,
  writePrivateFileAtomically,
} from '../identity/private-files.ts';
import { openTokenKeys } from '../identity/tokens/key-directory.ts';
import { createTokenIssuer, type MintedToken, type TokenIssuer } from '../identity/tokens/token-issuer.ts';
import { type TokenJwks, tokenJwksFiles, tokenJwksOf } from '../identity/tokens/token-keys.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import type { NamespacedName } from '../model/mesh.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface AuthorityOptions {
  /** Created when it is not there. */
  readonly stateDirectory: string;
  readonly trustDomain: string;
  readonly svidLifetimeMs: number;
  readonly now: () => Date;
  readonly log: Logger;
}

export interface Authority {
  readonly bundle: TrustBundle;
  /** Written for agents: the trust bundle, PEM. */
  readonly trustAnchorFile: string;
  readonly notAfter: Date;
  /** What verifies the tokens it mints. */
  readonly tokenJwks: TokenJwks;
  /** @throws IdentityError, CryptoError: see TokenIssuer */
  mintToken(type: TokenType, spiffeId: string, audience: string): MintedToken;
  /** @throws IdentityError, CryptoError: see SvidIssuer */
  issue(spiffeId: string, csr: Uint8Array): IssuedSvid;
  /** The key of a request, if there may be an SVID for it. @throws IdentityError, CryptoError: see SvidIssuer */
  requestedKey(csr: Uint8Array): Buffer;
  /** Uses a join token up, for an agent with this key. @throws IdentityError ERR_JOIN_TOKEN_… */
  redeem(token: string, publicKey: Uint8Array): Promise<Redeemed>;
  /** The workload an agent was admitted for; undefined when it is not admitted. */
  workloadOf(agentId: string): Promise<NamespacedName | undefined>;
  /** Binds an agent to a pod unless it is bound already; the pod it is bound to then. */
  bindToPod(agentId: string, pod: PodBinding): Promise<PodBinding>;
}

/** @throws IdentityError */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { stateDirectory, trustDomain, svidLifetimeMs, now, log } = options;
  await ensurePrivateDirectory(nodeStorage, stateDirectory);
  const dir = join(stateDirectory, 'ca');
  const { ca, created } = await openCaDirectory({ dir, trustDomain, now: now() });
  const { notAfter } = ca.issuer.certificate;
  log.info({ notAfter: notAfter.toISOString() }, created ? 'made a new root CA' : 'opened the root CA');
  log.warn('both CA keys lie in one directory: whoever reads it can make identities');
  const warning = caExpiryWarning(ca, now());
  if (warning !== undefined) log.warn(warning);
  const trustAnchorFile = join(stateDirectory, 'trust-anchor.pem');
  await writePrivateFileAtomically(nodeStorage, trustAnchorFile, trustBundleToPem(ca.bundle));
  const { tokenJwks, tokenIssuer } = await openTokenIssuer(dir, options);
  const issuer = createSvidIssuer({ ca, randomBytes, lifetimeMs: svidLifetimeMs });
  const registry = await openAgentRegistry(stateDirectory);
  return {
    bundle: ca.bundle,
    trustAnchorFile,
    notAfter,
    tokenJwks,
    mintToken: (type, spiffeId, audience) => tokenIssuer.mint({ type, spiffeId, audience, now: now() }),
    issue: (spiffeId, csr) => issuer.issueX509Svid({ spiffeId, csr, now: now() }),
    requestedKey,
    redeem: (token, publicKey) => redeemJoinToken({ dir: stateDirectory, token, publicKey, now: now() }),
    workloadOf: (agentId) => registry.workloadOf(agentId),
    bindToPod: (agentId, pod) => registry.bindToPod(agentId, pod),
  };
}

/** Opens the keys of tokens, and writes their public halves for whoever verifies tokens outside of the mesh. */
async function openTokenIssuer(
  dir: string,
  { stateDirectory, trustDomain, now, log }: AuthorityOptions,
): Promise<{ tokenJwks: TokenJwks; tokenIssuer: TokenIssuer }> {
  const { keys, created } = await openTokenKeys({ dir, now: now() });
  log.info(created ? 'made new keys for tokens' : 'opened the keys for tokens');
  const tokenJwks = tokenJwksOf(keys);
  for (const [file, jwks] of [
    [tokenJwksFiles.workloadTokens, tokenJwks.workloadTokens],
    [tokenJwksFiles.jwtSvids, tokenJwks.jwtSvids],
  ] as const) {
    await writePrivateFileAtomically(nodeStorage, join(stateDirectory, file), jwks);
  }
  return { tokenJwks, tokenIssuer: createTokenIssuer(trustDomain, keys) };
}
