// Join tokens, each for one agent: how an agent that no Kubernetes API vouches for shows which workload it is for.

import { type NamespacedName, namespacedName } from '../model/mesh.ts';
import { IdentityError } from './errors.ts';
import { defaultJoinTokenTtlMs, maxJoinTokenTtlMs } from './lifetimes.ts';
import {
  createPrivateFileAtomically,
  nodeStorage,
  type Storage,
  sweepTemporaries,
  syncDirectory,
  writePrivateFileAtomically,
} from './private-files.ts';
import {
  agentIdOfToken,
  encodeRecord,
  isWorkloadName,
  type JoinRecord,
  listRecords,
  openRecordDirectories,
  publicKeyDigest,
  type RecordDirectories,
  readRecord,
  recordPath,
  tokenDigest,
} from './records.ts';

/** A prefix that people and secret scanners recognise. */
const tokenPrefix = 'trellis-join-';
/** 256 bits: nobody guesses one, so there is no need to count attempts. */
const tokenBytes = 32;
const tokenForm = /^trellis-join-[A-Za-z0-9_-]{43}$/;

/** Unused tokens at a time; every creation looks at all of them. */
export const maxPendingJoinTokens = 1000;

export interface JoinTokenOptions {
  /** The state directory of the control plane. */
  readonly dir: string;
  readonly workload: { readonly namespace: string; readonly name: string };
  readonly ttlMs?: number;
  readonly now: Date;
  readonly storage?: Storage;
}

export interface JoinToken {
  /** The secret; it can be printed once and is stored nowhere. */
  readonly token: string;
  /** The agent it will admit. */
  readonly agentId: string;
  readonly expiresAt: Date;
}

/**
 * Creates a token that admits one agent, for one workload. Works while a control plane runs on the same directory.
 * @throws IdentityError ERR_WORKLOAD_NAME, ERR_LIFETIME, ERR_JOIN_TOKEN_LIMIT, ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_STORAGE_FULL
 */
export async function createJoinToken(options: JoinTokenOptions): Promise<JoinToken> {
  const { dir, now, ttlMs = defaultJoinTokenTtlMs, storage = nodeStorage } = options;
  const workload = namespacedName(options.workload);
  if (!isWorkloadName(workload)) {
    throw new IdentityError(
      'ERR_WORKLOAD_NAME',
      `${JSON.stringify(workload)} is not the <namespace>/<name> of a pod`,
    );
  }
  if (!(ttlMs > 0 && ttlMs <= maxJoinTokenTtlMs)) {
    throw new IdentityError(
      'ERR_LIFETIME',
      `a join token lives up to ${maxJoinTokenTtlMs / 1000} s, not ${ttlMs / 1000} s`,
    );
  }
  const directories = await openRecordDirectories(storage, dir);
  if ((await sweep(storage, directories, now)) >= maxPendingJoinTokens) {
    throw new IdentityError(
      'ERR_JOIN_TOKEN_LIMIT',
      `there are ${maxPendingJoinTokens} unused join tokens: use them, wait until they expire, or remove files from ${directories.tokens}`,
    );
  }
  const token = tokenPrefix + storage.randomBytes(tokenBytes).toString('base64url');
  const expiresAt = new Date(now.getTime() + ttlMs);
  const path = recordPath(directories.tokens, tokenDigest(token));
  await writePrivateFileAtomically(storage, path, encodeRecord({ workload, expiresAt }));
  return { token, agentId: agentIdOfToken(token), expiresAt };
}

export interface RedeemOptions {
  /** The state directory of the control plane. */
  readonly dir: string;
  readonly token: string;
  /** Of the agent, SPKI DER. */
  readonly publicKey: Uint8Array;
  readonly now: Date;
  readonly storage?: Storage;
}

/** An agent let into the mesh, for one workload. */
export interface Redeemed {
  readonly agentId: string;
  readonly workload: NamespacedName;
}

/**
 * Uses a token up and admits its agent, for good: the record is on disk before this resolves. Of several concurrent calls with
 * the same token and different keys exactly one succeeds, whichever processes they are in. The one whose key was admitted may
 * call again until the token expires: the answer may not have reached it.
 * @throws IdentityError ERR_JOIN_TOKEN_MALFORMED, ERR_JOIN_TOKEN_UNKNOWN, ERR_JOIN_TOKEN_USED, ERR_JOIN_TOKEN_EXPIRED,
 *   ERR_RECORD_CORRUPT, ERR_STORAGE_FULL
 */
export async function redeemJoinToken(options: RedeemOptions): Promise<Redeemed> {
  const { dir, token, publicKey, now, storage = nodeStorage } = options;
  if (!tokenForm.test(token)) {
    throw new IdentityError(
      'ERR_JOIN_TOKEN_MALFORMED',
      `a join token is "${tokenPrefix}" and 43 characters: is it cut off?`,
    );
  }
  const directories = await openRecordDirectories(storage, dir);
  const agentId = agentIdOfToken(token);
  const admission = { keyDigest: publicKeyDigest(publicKey), tokenDigest: tokenDigest(token) };
  const pending = recordPath(directories.tokens, admission.tokenDigest);
  const admitted = recordPath(directories.agents, agentId);
  const earlier = await readRecord(storage, admitted);
  if (earlier !== undefined) return again(earlier, agentId, admission.keyDigest, now);
  const record = await readRecord(storage, pending);
  if (record === undefined) {
    // Redeemed by another between the two looks, or never there.
    const meanwhile = await readRecord(storage, admitted);
    if (meanwhile !== undefined) return again(meanwhile, agentId, admission.keyDigest, now);
    throw unknown();
  }
  if (now >= record.expiresAt) {
    await storage.fs.rm(pending, { force: true });
    throw new IdentityError(
      'ERR_JOIN_TOKEN_EXPIRED',
      `the join token expired at ${record.expiresAt.toISOString()}: create a new one`,
    );
  }
  // The decision: the name can be created once.
  const content = encodeRecord({ ...record, admitted: admission });
  if (!(await createPrivateFileAtomically(storage, admitted, content))) {
    const winner = await readRecord(storage, admitted);
    if (winner === undefined) throw unknown();
    return again(winner, agentId, admission.keyDigest, now);
  }
  // It means nothing any more: the agent is admitted whether or not this succeeds.
  await storage.fs.rm(pending, { force: true }).catch(() => {});
  await syncDirectory(storage, directories.tokens).catch(() => {});
  return { agentId, workload: record.workload };
}

/** Only a bearer of the token can ask, so telling him that it was used gives nothing away. */
function again(
  { workload, expiresAt, admitted }: JoinRecord,
  agentId: string,
  keyDigest: string,
  now: Date,
): Redeemed {
  if (admitted?.keyDigest === keyDigest && now < expiresAt) return { agentId, workload };
  throw new IdentityError(
    'ERR_JOIN_TOKEN_USED',
    'the join token was used before, and each admits one agent: create a new one',
  );
}

function unknown(): IdentityError {
  return new IdentityError(
    'ERR_JOIN_TOKEN_UNKNOWN',
    'no such join token here: it expired, its agent was forgotten, or another control plane made it; create a new one',
  );
}

/** Removes expired tokens; returns how many are left. A record that cannot be read counts, and stays for the operator to see. */
async function sweep(storage: Storage, directories: RecordDirectories, now: Date): Promise<number> {
  for (const directory of [directories.tokens, directories.agents])
    await sweepTemporaries(storage, directory, now);
  let left = 0;
  for (const name of await listRecords(storage, directories.tokens)) {
    const path = recordPath(directories.tokens, name);
    const record = await readRecord(storage, path).catch(() => 'unreadable' as const);
    if (record === undefined) continue;
    if (record !== 'unreadable' && now >= record.expiresAt) await storage.fs.rm(path, { force: true });
    else left++;
  }
  return left;
}
