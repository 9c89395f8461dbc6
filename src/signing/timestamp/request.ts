// A time-stamp over a signature, from an authority that speaks RFC 3161 over HTTP (§3.4).

import { SigningError } from '../errors.ts';
import { resourceUrl, send, serviceUrl, type Transport } from '../services/request.ts';
import { checkAnswersRequest, timestampRequest } from './response.ts';

export interface TimestampOptions {
  /** Of the authority: the full URL, or that of a Sigstore timestamp-authority's host. */
  readonly tsaUrl: string;
  /** So many bytes from a cryptographic generator. */
  readonly random: (bytes: number) => Uint8Array;
  readonly transport?: Transport | undefined;
}

const service = 'the time-stamp authority';
/** Where Sigstore's timestamp-authority answers. */
const sigstorePath = '/api/v1/timestamp';
/** Six bytes: fits what every implementation can hold in a number; an old answer would need the same signature as well. */
const nonceBytes = 6;

/**
 * The TimeStampResp, DER, for these signature bytes: granted, for this hash and this request. Its signature is not
 * verified: verifyTimestamps does that, with a trusted root.
 * @throws SigningError ERR_SIGSTORE_URL_INVALID, ERR_SIGSTORE_SERVICE; the signal's reason
 */
export async function requestTimestamp(
  signature: Uint8Array,
  { tsaUrl, random, transport = {} }: TimestampOptions,
  signal?: AbortSignal,
): Promise<Buffer> {
  const given = serviceUrl(tsaUrl, 'the URL of the time-stamp authority');
  const url = given.pathname === '/' ? resourceUrl(given, sigstorePath) : given;
  const nonce = random(nonceBytes);
  const body = timestampRequest(signature, nonce);
  const headers = { accept: 'application/timestamp-reply', 'content-type': 'application/timestamp-query' };
  const answer = await send({ service, url, method: 'POST', headers, body }, [200, 201], transport, signal);
  try {
    checkAnswersRequest(answer.body, signature, nonce);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SigningError(
      'ERR_SIGSTORE_SERVICE',
      `${service} at ${url.origin} gave no time-stamp for this signature: ${reason}`,
      error,
    );
  }
  return answer.body;
}
