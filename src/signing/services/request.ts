// Requests to the services of Sigstore: Fulcio, Rekor, time-stamp authorities, and the token endpoints of CI systems. What
// goes to them may be a secret (an identity token), and what comes back is anybody's: so no redirect is followed, every
// answer is bounded, and no message quotes more of an answer than a short, redacted line.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { isJsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { SigningError } from '../errors.ts';

/** How requests travel. All parts are optional: without a dispatcher undici's global one is used. */
export interface Transport {
  /** Proxies and private certificate authorities. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Waits so many milliseconds before a request is made again. */
  readonly sleep?: ((milliseconds: number, signal?: AbortSignal) => Promise<unknown>) | undefined;
}

export interface ServiceRequest {
  /** How messages name the service. */
  readonly service: string;
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** What is in the request and must not come back in a message. */
  readonly secret?: string | undefined;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: Buffer;
}

/** A certificate chain, a log entry with its proof, or a time-stamp with its chain: each is below 32 KB. */
const maxAnswerBytes = 256 * 1024;

const maxAnswerDepth = 32;

/** Rekor waits until the entry is in the tree before it answers, which may take it several seconds. */
const attemptMilliseconds = 30_000;

const maxAttempts = 3;
const firstDelayMilliseconds = 500;
/** A service that asks for more patience than this is told on. */
const maxDelayMilliseconds = 10_000;

const maxQuotedCharacters = 200;

/**
 * The address of a service.
 * @param option how the user gave it, for the message
 * @throws SigningError ERR_SIGSTORE_URL_INVALID unless it is https, or http on the loopback interface
 */
export function serviceUrl(text: string, option: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits =
    url !== undefined &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '';
  if (fits) return url;
  throw new SigningError(
    'ERR_SIGSTORE_URL_INVALID',
    `${option} must be an https:// URL without credentials (http:// is for loopback addresses), such as https://fulcio.example`,
  );
}

/** The URL of one of the service's resources. */
export function resourceUrl(service: URL, path: string): URL {
  const url = new URL(service);
  url.pathname = `${service.pathname.replace(/\/+$/, '')}${path}`;
  return url;
}

/**
 * Sends the request, again when the service is busy or cannot be reached, and gives the answer if its status is one of
 * `accepted`.
 * @throws SigningError ERR_SIGSTORE_SERVICE; the signal's reason
 */
export async function send(
  wanted: ServiceRequest,
  accepted: readonly number[],
  transport: Transport,
  signal?: AbortSignal,
): Promise<ServiceAnswer> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const outcome = await attemptOnce(wanted, transport, signal);
    if (outcome.answer !== undefined && accepted.includes(outcome.answer.status)) return outcome.answer;
    if (attempt === maxAttempts || !outcome.retry) throw refusal(wanted, outcome);
    const delay = outcome.retryAfter ?? firstDelayMilliseconds * 2 ** (attempt - 1);
    if (delay > maxDelayMilliseconds) throw refusal(wanted, outcome);
    await (transport.sleep ?? defaultSleep)(delay, signal);
  }
}

/**
 * The one JSON object that an answer is.
 * @throws SigningError ERR_SIGSTORE_SERVICE
 */
export function jsonAnswer(service: string, { body }: ServiceAnswer): Readonly<Record<string, unknown>> {
  try {
    const value = parseStrictJson(body, { maxBytes: maxAnswerBytes, maxDepth: maxAnswerDepth });
    if (isJsonObject(value)) return value;
  } catch {
    // The cause is dropped: a parser's message may quote what it read, and that may be a token.
    throw malformed(service, 'an answer that is not JSON');
  }
  throw malformed(service, 'an answer that is not a JSON object');
}

/** What a service said is not what its interface promises. */
export function malformed(service: string, what: string): SigningError {
  return new SigningError(
    'ERR_SIGSTORE_SERVICE',
    `${service} gave ${what}; check that the URL is that of this service`,
  );
}

interface Outcome {
  readonly answer?: ServiceAnswer;
  readonly failure?: unknown;
  readonly retry: boolean;
  /** Milliseconds. */
  readonly retryAfter?: number | undefined;
}

async function attemptOnce(
  { url, method, headers, body }: ServiceRequest,
  { dispatcher }: Transport,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const deadline = AbortSignal.timeout(attemptMilliseconds);
  try {
    // undici follows no redirect by itself: one would hand the identity token to whoever it names.
    const response = await request(url, {
      method,
      headers: { 'user-agent': 'trellis', ...headers },
      body: body ?? null,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    const status = response.statusCode;
    return {
      answer: { status, location: one(response.headers['location']), body: await bounded(response.body) },
      retry: status === 408 || status === 429 || status >= 500,
      retryAfter: secondsAsMilliseconds(one(response.headers['retry-after'])),
    };
  } catch (failure) {
    signal?.throwIfAborted();
    return { failure, retry: !(failure instanceof TooLarge) };
  }
}

class TooLarge extends Error {}

async function bounded(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new TooLarge(`an answer of more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refusal({ service, url, secret }: ServiceRequest, { answer, failure }: Outcome): SigningError {
  const where = `${service} at ${url.origin}`;
  if (answer === undefined) {
    const why = failure instanceof Error ? reasonOf(failure) : 'no answer';
    return new SigningError(
      'ERR_SIGSTORE_SERVICE',
      `${where} cannot be used: ${why}; check the URL, and proxy and certificate authority of the connection`,
      failure,
    );
  }
  if (answer.status >= 300 && answer.status < 400) {
    return new SigningError(
      'ERR_SIGSTORE_SERVICE',
      `${where} answered with a redirect, which is not followed; give the URL it moved to`,
    );
  }
  const said = quoted(answer.body, secret);
  return new SigningError(
    'ERR_SIGSTORE_SERVICE',
    `${where} refused with status ${answer.status}${said === '' ? '' : `: ${said}`}`,
  );
}

/** undici wraps what happened on the socket; the inner message is the one that says something. */
function reasonOf(failure: Error): string {
  if (failure.name === 'TimeoutError') return `no answer within ${attemptMilliseconds / 1000} s`;
  return failure.cause instanceof Error ? failure.cause.message : failure.message;
}

/** A long run of token characters may be a piece of what was sent, so none is repeated. */
const tokenLike = /[A-Za-z0-9_+/=.-]{32,}/g;

function quoted(body: Buffer, secret: string | undefined): string {
  const text = serverMessage(body.toString('utf8'));
  if (secret !== undefined && text.includes(secret)) return '';
  const line = text
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .replaceAll(tokenLike, '…')
    .trim();
  return line.length > maxQuotedCharacters ? `${line.slice(0, maxQuotedCharacters)}…` : line;
}

/** Fulcio, Rekor and GitHub all put theirs into `message`. */
function serverMessage(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value) && typeof value['message'] === 'string') return value['message'];
  } catch {
    // Not JSON: the text itself is the message.
  }
  return text;
}

function secondsAsMilliseconds(retryAfter: string | undefined): number | undefined {
  return retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function defaultSleep(milliseconds: number, signal?: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, undefined, { signal });
}
