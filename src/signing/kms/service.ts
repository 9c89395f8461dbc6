// What Trellis needs of a key management service. One file each makes it of a vendor's SDK.

import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import { SigningError } from '../errors.ts';
import type { PublicKey } from '../keys/public-key.ts';

/** Where requests go, and how long they may take. */
export interface KmsOptions {
  /** Endpoints and proxies. The SDKs read credentials and region from the process's own environment. */
  readonly env: NodeJS.ProcessEnv;
  /** For one operation with all its requests and retries. */
  readonly deadlineMs?: number;
  /** Waits between two looks at a key that is not ready yet. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface KmsKey {
  readonly publicKey: PublicKey;
  /** The service's full name of the key, which stays the same when an alias moves. */
  readonly name: string;
  /** Not verified yet. @throws SigningError ERR_KMS_KEY, ERR_KMS_UNAVAILABLE, ERR_KMS_CREDENTIALS */
  sign(data: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** A place where there may be a key. Its methods throw SigningError ERR_KMS_KEY, ERR_KMS_UNAVAILABLE, ERR_KMS_CREDENTIALS. */
export interface KmsSlot {
  /** The key with its public half; undefined when the service knows none of that name. */
  find(signal: AbortSignal): Promise<KmsKey | undefined>;
  /** Makes it, and waits until it can be used. */
  create(algorithm: IssuingAlgorithm, signal: AbortSignal): Promise<KmsKey>;
}

export function kmsKeyError(message: string, cause?: unknown): SigningError {
  return new SigningError('ERR_KMS_KEY', message, cause);
}

/** The first line of what an SDK says: some append whole documents. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0]?.slice(0, 500) ?? '';
}
