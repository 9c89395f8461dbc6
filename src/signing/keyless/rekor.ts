// Rekor's API v1: an entry of type intoto 0.0.2 for a DSSE envelope (sigstore/rekor, openapi.yaml and
// pkg/types/intoto/v0.0.2), as an entry of a bundle.

import { createHash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { toPem } from '../../crypto/pem.ts';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { payloadType } from '../format/dsse.ts';
import {
  jsonAnswer,
  malformed,
  resourceUrl,
  type ServiceAnswer,
  send,
  type Transport,
} from '../services/request.ts';
import { checkEntryCertificate } from './log-entry.ts';

const service = 'Rekor';
const entriesPath = '/api/v1/log/entries';

export interface LogSubmission {
  readonly rekorUrl: URL;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly transport: Transport;
}

/**
 * Logs the signature and gives the log's entry with its proofs, which are not verified here.
 * @throws SigningError ERR_SIGSTORE_SERVICE; the signal's reason
 */
export async function logSignature(
  submission: LogSubmission,
  signal?: AbortSignal,
): Promise<TransparencyLogEntry> {
  const { rekorUrl, transport } = submission;
  const url = resourceUrl(rekorUrl, entriesPath);
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  const wanted = {
    service,
    url,
    method: 'POST',
    headers,
    body: JSON.stringify(proposal(submission)),
  } as const;
  const created = await send(wanted, [200, 201, 409], transport, signal);
  const answer = created.status === 409 ? await existing(submission, created, signal) : created;
  const entry = entryOf(answer);
  try {
    checkEntryCertificate(entry, submission.certificate);
  } catch (error) {
    throw malformed(
      service,
      `an entry that cannot be used (${error instanceof Error ? error.message : error})`,
    );
  }
  return entry;
}

/** Rekor wants the envelope's fields encoded once more, and the signer's certificate inside of it. */
function proposal({ payload, signature, certificate }: LogSubmission): object {
  const publicKey = toPem('CERTIFICATE', certificate);
  const payloadText = encodeBase64(payload);
  const signatureText = encodeBase64(signature);
  // In the order of RFC 8785, in which it is hashed.
  const hashed = {
    payload: payloadText,
    payloadType,
    signatures: [{ publicKey, sig: signatureText }],
  };
  return {
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payloadType,
          payload: textToBase64(payloadText),
          signatures: [{ sig: textToBase64(signatureText), publicKey: textToBase64(publicKey) }],
        },
        hash: { algorithm: 'sha256', value: sha256(Buffer.from(JSON.stringify(hashed), 'utf8')) },
        payloadHash: { algorithm: 'sha256', value: sha256(payload) },
      },
    },
  };
}

const entryId = /^[0-9a-f]{64,80}$/;

/** An entry that was made by an attempt whose answer was lost. Only its name is taken from the answer, never an address. */
async function existing(
  { rekorUrl, transport }: LogSubmission,
  conflict: ServiceAnswer,
  signal: AbortSignal | undefined,
): Promise<ServiceAnswer> {
  const id = conflict.location?.split('/').at(-1) ?? '';
  if (!entryId.test(id)) throw malformed(service, 'no name of the entry that it says exists');
  const url = resourceUrl(rekorUrl, `${entriesPath}/${id}`);
  const wanted = { service, url, method: 'GET', headers: { accept: 'application/json' } } as const;
  return await send(wanted, [200], transport, signal);
}

/** One entry under its name, as in openapi.yaml's LogEntry. */
function entryOf(answer: ServiceAnswer): TransparencyLogEntry {
  const entries = Object.values(jsonAnswer(service, answer));
  if (entries.length !== 1) throw malformed(service, `${entries.length} entries where one was asked for`);
  try {
    const entry = new Fields(entries[0]);
    const verification = entry.object('verification');
    const proof = verification.object('inclusionProof');
    const body = entry.base64('body');
    const { kind, apiVersion: version } = JSON.parse(body.toString('utf8'));
    return {
      logIndex: entry.integer('logIndex'),
      logId: { keyId: entry.hex('logID') },
      kindVersion: { kind: String(kind), version: String(version) },
      integratedTime: entry.integer('integratedTime'),
      inclusionPromise: { signedEntryTimestamp: verification.base64('signedEntryTimestamp') },
      inclusionProof: {
        logIndex: proof.integer('logIndex'),
        rootHash: proof.hex('rootHash'),
        treeSize: proof.integer('treeSize'),
        hashes: proof.hexes('hashes'),
        checkpoint: { envelope: proof.text('checkpoint') },
      },
      canonicalizedBody: body,
    };
  } catch (error) {
    throw malformed(
      service,
      `an entry that cannot be read (${error instanceof Error ? error.message : error})`,
    );
  }
}

/** The members of an object by type; what is missing or of another type is named. */
class Fields {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  object(name: string): Fields {
    return new Fields(this.#get(name));
  }

  text(name: string): string {
    const value = this.#get(name);
    if (typeof value !== 'string') throw new Error(`${name} is missing`);
    return value;
  }

  integer(name: string): string {
    const value = this.#get(name);
    if (!Number.isSafeInteger(value)) throw new Error(`${name} is missing`);
    return String(value);
  }

  base64(name: string): Buffer {
    return decodeBase64(this.text(name), name);
  }

  hex(name: string): Buffer {
    return hexBytes(this.text(name), name);
  }

  hexes(name: string): Buffer[] {
    const value = this.#get(name);
    if (!Array.isArray(value)) throw new Error(`${name} is missing`);
    return value.map((text) => hexBytes(String(text), name));
  }

  #get(name: string): unknown {
    const value = this.#value;
    return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? (value as Readonly<Record<string, unknown>>)[name]
      : undefined;
  }
}

function hexBytes(text: string, name: string): Buffer {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) throw new Error(`${name} is not hexadecimal`);
  return Buffer.from(text, 'hex');
}

function textToBase64(text: string): string {
  return encodeBase64(Buffer.from(text, 'utf8'));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
