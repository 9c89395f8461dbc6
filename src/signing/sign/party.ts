// Whoever takes part in a signing: from the payload that all of them sign to the finished bundle of one.

import { encodeKeyBundle } from '../format/bundle.ts';
import { pae, payloadType } from '../format/dsse.ts';
import { keyHint, type PublicKey } from '../keys/public-key.ts';
import type { Signer } from '../keys/signer.ts';

export interface SigningParty {
  /** Known before anything is signed: the payload names everyone who signs it. */
  readonly publicKey: PublicKey;
  /** The Sigstore bundle of this party over the payload. */
  bundle(payload: Uint8Array, signal?: AbortSignal): Promise<Buffer>;
}

/** Gives an RFC 3161 time-stamp token over a signature. */
export type Timestamper = (signature: Uint8Array, signal?: AbortSignal) => Promise<Buffer>;

/** A party that signs with a key which is known by itself, without a certificate. */
export function keyParty(signer: Signer, timestamp?: Timestamper): SigningParty {
  const { publicKey } = signer;
  return {
    publicKey,
    bundle: async (payload, signal) => {
      const signature = await signer.sign(pae(payloadType, payload), signal);
      const timestamps = timestamp === undefined ? [] : [await timestamp(signature, signal)];
      return encodeKeyBundle({ payload, signature, hint: keyHint(publicKey), timestamps });
    },
  };
}

/** Classical first: a verifier that knows one signature looks at the first it finds (docs/signing.md). */
export function inWrittenOrder(parties: readonly SigningParty[]): readonly SigningParty[] {
  const isPostQuantum = ({ publicKey }: SigningParty) => (publicKey.algorithm.startsWith('ML-DSA') ? 1 : 0);
  return [...parties].sort((a, b) => isPostQuantum(a) - isPostQuantum(b));
}
