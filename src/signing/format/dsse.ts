// Dead Simple Signing Envelope v1.0.2 (secure-systems-lab/dsse, protocol.md and envelope.md).

import { encodeBase64 } from '../base64.ts';
import { SigningError } from '../errors.ts';
import { Members } from './members.ts';

/** in-toto attestation framework, envelope.md: the one payload type Trellis signs and verifies. */
export const payloadType = 'application/vnd.in-toto+json';

export interface Envelope {
  readonly payload: Buffer;
  readonly signature: Buffer;
}

const members: Members = new Members('ERR_ENVELOPE_INVALID', 'the DSSE envelope');

/** The bytes that are signed (protocol.md, "Signature Definition"): type and length bound to the payload. */
export function pae(type: string, payload: Uint8Array): Buffer {
  const header = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(header), payload]);
}

/**
 * Reads an envelope with exactly one signature. `keyid` is an unauthenticated hint (protocol.md) and is ignored.
 * @param value the parsed JSON
 * @throws SigningError ERR_ENVELOPE_INVALID, ERR_ENVELOPE_SIGNATURE_COUNT, ERR_BASE64_INVALID
 */
export function parseEnvelope(value: unknown): Envelope {
  const envelope = members.object(value, 'the envelope', ['payload', 'payloadType', 'signatures']);
  members.exactText(envelope['payloadType'], 'payloadType', payloadType);
  const { signatures } = envelope;
  if (!Array.isArray(signatures) || signatures.length !== 1) throw notOneSignature(signatures);
  const entry = members.object(signatures[0], 'the signature', ['sig'], ['keyid']);
  if (Object.hasOwn(entry, 'keyid')) members.text(entry['keyid'], 'keyid');
  const signature = members.base64(entry['sig'], 'the signature');
  if (signature.length === 0) members.refuse('the signature is empty');
  return { payload: members.base64(envelope['payload'], 'the payload'), signature };
}

/** The envelope as it is written: what `parseEnvelope` reads. */
export function encodeEnvelope({ payload, signature }: { payload: Uint8Array; signature: Uint8Array }) {
  return {
    payload: encodeBase64(payload),
    payloadType,
    signatures: [{ sig: encodeBase64(signature) }],
  };
}

// Envelopes with two signatures break stock verifiers, and leave open which of them a log entry or a time-stamp is for.
function notOneSignature(signatures: unknown): SigningError {
  const found = Array.isArray(signatures) ? `${signatures.length} signatures` : 'no list of signatures';
  return new SigningError(
    'ERR_ENVELOPE_SIGNATURE_COUNT',
    `the DSSE envelope has ${found}; Trellis reads exactly one: attach each signature as a bundle of its own, as trellis sign does`,
  );
}
