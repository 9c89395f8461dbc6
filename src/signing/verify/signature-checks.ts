// The one place where a signature is verified: once for each key, payload and signature, and no more often than allowed.

import { createHash } from 'node:crypto';
import { verifyBytes } from '../../crypto/keys.ts';
import { pae, payloadType } from '../format/dsse.ts';
import type { PublicKey } from '../keys/public-key.ts';

/** What a signature is over. */
export interface SignedMessage {
  /** Equal for byte-identical payloads only. */
  readonly id: string;
  readonly bytes: Buffer;
}

export function messageOf(payload: Uint8Array): SignedMessage {
  const bytes = pae(payloadType, payload);
  return { id: identityOf(bytes), bytes };
}

export class SignatureChecks {
  readonly #outcomes = new Map<string, boolean>();
  readonly #max: number;
  #certificates = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many signatures and certificates were verified. */
  get spent(): number {
    return this.#outcomes.size + this.#certificates;
  }

  /** To be asked before a certificate is verified, which is several signatures: false when no more may be. */
  spendOnCertificate(): boolean {
    if (this.spent >= this.#max) return false;
    this.#certificates += 1;
    return true;
  }

  /**
   * Whether the key made the signature over the message. The algorithm is the key's, whatever a bundle says.
   * @returns undefined when no more may be verified
   */
  verify(key: PublicKey, message: SignedMessage, signature: Uint8Array): boolean | undefined {
    const check = [key.spkiSha256, message.id, identityOf(signature)].join();
    const known = this.#outcomes.get(check);
    if (known !== undefined) return known;
    if (this.spent >= this.#max) return undefined;
    const outcome = verifyBytes(key.key, message.bytes, signature);
    this.#outcomes.set(check, outcome);
    return outcome;
  }
}

/** Collisions of SHA-512 are out of reach, for quantum computers too. */
function identityOf(bytes: Uint8Array): string {
  return createHash('sha512').update(bytes).digest('base64');
}
