// What is on disk about join tokens and agents:
//
//   <directory>/join-tokens/<SHA-256 of the token>.json   not used yet; the token itself is stored nowhere
//   <directory>/agents/<agent id>.json                    admitted agents, with the key each was admitted with
//   <directory>/agents/<agent id>.pod.json                the pod that an agent is bound to
//
// Redeeming a token creates the agent's record, under a name that the token determines. Of two that redeem the same token
// one finds it there, and a control plane killed at any moment leaves the token either unused, or used with a key that can
// use it again until it expires. The token's own record is removed after that; if it is not, it means nothing any more.
// Binding an agent creates the other file, in the same way: the first pod is the pod for good.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { NamespacedName } from '../model/mesh.ts';
import { IdentityError } from './errors.ts';
import { ensurePrivateDirectory, readPrivateFile, type Storage } from './private-files.ts';

/** One JSON object of a few short fields. */
const maxRecordBytes = 4096;
const version = 1;

/** The content of both kinds of file. */
export interface JoinRecord {
  /** What the bearer of the token may act for. */
  readonly workload: NamespacedName;
  /** When the token stops being redeemable, also by the agent that redeemed it. */
  readonly expiresAt: Date;
  /** Of an admitted agent. */
  readonly admitted?: Admission;
}

export interface Admission {
  /** SHA-256 of the public key (SPKI DER) the token was redeemed with, hex. */
  readonly keyDigest: string;
  /** What its token was stored under. */
  readonly tokenDigest: string;
}

export interface RecordDirectories {
  readonly tokens: string;
  readonly agents: string;
}

/** @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_STORAGE_FULL */
export async function openRecordDirectories(storage: Storage, directory: string): Promise<RecordDirectories> {
  const directories = { tokens: join(directory, 'join-tokens'), agents: join(directory, 'agents') };
  for (const path of [directory, directories.tokens, directories.agents])
    await ensurePrivateDirectory(storage, path);
  return directories;
}

export function recordPath(directory: string, name: string): string {
  return join(directory, `${name}.json`);
}

export function podPath(agents: string, agentId: string): string {
  return recordPath(agents, `${agentId}.pod`);
}

const recordName = /^([0-9a-f]{32,64})\.json$/;

/** The names of the records in a directory; everything else in it is left alone. */
export async function listRecords(storage: Storage, directory: string): Promise<string[]> {
  const names = await storage.fs.readdir(directory);
  return names.flatMap((name) => recordName.exec(name)?.[1] ?? []).sort();
}

export function encodeRecord({ workload, expiresAt, admitted }: JoinRecord): string {
  return `${JSON.stringify({ version, workload, expiresAt: expiresAt.toISOString(), ...admitted })}\n`;
}

/** The pod that an agent is bound to. */
export interface PodBinding {
  readonly uid: string;
  readonly serviceAccount: string;
}

export function encodePodBinding({ uid, serviceAccount }: PodBinding): string {
  return `${JSON.stringify({ version, uid, serviceAccount })}\n`;
}

/**
 * The record, or undefined when there is none.
 * @throws IdentityError ERR_RECORD_CORRUPT, ERR_NOT_PRIVATE, ERR_WRONG_OWNER
 */
export function readRecord(storage: Storage, path: string): Promise<JoinRecord | undefined> {
  return readJson(storage, path, decodeRecord);
}

/**
 * The pod an agent is bound to, or undefined when there is none yet.
 * @throws IdentityError ERR_RECORD_CORRUPT, ERR_NOT_PRIVATE, ERR_WRONG_OWNER
 */
export function readPodBinding(storage: Storage, path: string): Promise<PodBinding | undefined> {
  return readJson(storage, path, decodePodBinding);
}

type Fields = Readonly<Record<string, unknown>>;

async function readJson<T>(
  storage: Storage,
  path: string,
  decode: (object: Fields) => T,
): Promise<T | undefined> {
  try {
    const bytes = await readPrivateFile(storage, path, maxRecordBytes);
    if (bytes === undefined) return undefined;
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    const object: Fields = typeof value === 'object' && value !== null ? { ...value } : {};
    if (object['version'] !== version) throw new SyntaxError('not a record of this version');
    return decode(object);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof RangeError)) throw error;
    throw new IdentityError(
      'ERR_RECORD_CORRUPT',
      `${path} is damaged: remove it and create a new join token`,
      {
        cause: error,
      },
    );
  }
}

function decodeRecord({ workload, expiresAt, keyDigest, tokenDigest }: Fields): JoinRecord {
  const expiry = new Date(typeof expiresAt === 'string' ? expiresAt : Number.NaN);
  if (typeof workload !== 'string' || !isWorkloadName(workload)) throw new SyntaxError('no workload');
  if (Number.isNaN(expiry.getTime())) throw new SyntaxError('no expiry');
  if (keyDigest === undefined && tokenDigest === undefined) return { workload, expiresAt: expiry };
  if (!isDigest(keyDigest) || !isDigest(tokenDigest)) throw new SyntaxError('no digests');
  return { workload, expiresAt: expiry, admitted: { keyDigest, tokenDigest } };
}

function decodePodBinding({ uid, serviceAccount }: Fields): PodBinding {
  if (typeof uid !== 'string' || typeof serviceAccount !== 'string') throw new SyntaxError('no pod');
  return { uid, serviceAccount };
}

/** It becomes part of a path. */
function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** RFC 1123 label, as Kubernetes names namespaces. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1123 subdomain, as Kubernetes names pods, in characters. */
const maxSubdomainLength = 253;

/** True for the `<namespace>/<name>` of a pod. */
export function isWorkloadName(text: string): text is NamespacedName {
  const [namespace = '', name = '', ...more] = text.split('/');
  const isSubdomain = name.length <= maxSubdomainLength && name.split('.').every((part) => label.test(part));
  return more.length === 0 && label.test(namespace) && isSubdomain;
}

/** What a token is stored under: whoever reads the directory learns no token. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** What is kept of the key (SPKI DER) a token was redeemed with. */
export function publicKeyDigest(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

const agentIdBytes = 16;

/** The agent that a token admits. Derived from it, so that a second use of the token is recognised as such. */
export function agentIdOfToken(token: string): string {
  const digest = createHash('sha256').update('trellis agent id\0').update(token).digest();
  return digest.subarray(0, agentIdBytes).toString('hex');
}
