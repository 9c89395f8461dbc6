// What is on disk about join tokens and agents:
//
//   <directory>/join-tokens/<SHA-256 of the token>.json   not used yet; the token itself is stored nowhere
//   <directory>/agents/<agent id>.json                    admitted agents
//
// Redeeming a token is one rename from the first directory to the second. Of two that redeem the same token one finds
// the file gone, and a control plane killed at any moment leaves the token either unused or used, never in between.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { NamespacedName } from '../model/mesh.ts';
import { IdentityError } from './errors.ts';
import { ensurePrivateDirectory, readPrivateFile, type Storage } from './private-files.ts';

/** One JSON object of three short fields. */
const maxRecordBytes = 4096;
const version = 1;

/** The content of both kinds of file. */
export interface JoinRecord {
  /** What the bearer of the token may act for. */
  readonly workload: NamespacedName;
  /** When the token stops being redeemable; without meaning once it is redeemed. */
  readonly expiresAt: Date;
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

const recordName = /^([0-9a-f]{32,64})\.json$/;

/** The names of the records in a directory; everything else in it is left alone. */
export async function listRecords(storage: Storage, directory: string): Promise<string[]> {
  const names = await storage.fs.readdir(directory);
  return names.flatMap((name) => recordName.exec(name)?.[1] ?? []).sort();
}

export function encodeRecord({ workload, expiresAt }: JoinRecord): string {
  return `${JSON.stringify({ version, workload, expiresAt: expiresAt.toISOString() })}\n`;
}

/**
 * The record, or undefined when there is none.
 * @throws IdentityError ERR_RECORD_CORRUPT, ERR_NOT_PRIVATE, ERR_WRONG_OWNER
 */
export async function readRecord(storage: Storage, path: string): Promise<JoinRecord | undefined> {
  try {
    const bytes = await readPrivateFile(storage, path, maxRecordBytes);
    return bytes === undefined ? undefined : decodeRecord(JSON.parse(bytes.toString('utf8')));
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

function decodeRecord(value: unknown): JoinRecord {
  const object: Readonly<Record<string, unknown>> =
    typeof value === 'object' && value !== null ? { ...value } : {};
  const { workload, expiresAt } = object;
  const expiry = new Date(typeof expiresAt === 'string' ? expiresAt : Number.NaN);
  if (object['version'] !== version) throw new SyntaxError('not a record of this version');
  if (typeof workload !== 'string' || !isWorkloadName(workload)) throw new SyntaxError('no workload');
  if (Number.isNaN(expiry.getTime())) throw new SyntaxError('no expiry');
  return { workload, expiresAt: expiry };
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

const agentIdBytes = 16;

/** The agent that a token admits. Derived from it, so that a second use of the token is recognised as such. */
export function agentIdOfToken(token: string): string {
  const digest = createHash('sha256').update('trellis agent id\0').update(token).digest();
  return digest.subarray(0, agentIdBytes).toString('hex');
}
