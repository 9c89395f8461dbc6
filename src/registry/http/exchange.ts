// One request and its answer: no redirects, no second attempt, and an end to everything.

import { Readable } from 'node:stream';
import { request } from 'undici';
import { RegistryError } from '../errors.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { Answer } from './answer.ts';
import type { Connections } from './connections.ts';
import type { Zone } from './destination.ts';
import { failureOf } from './failure.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT';

/** A body that is sent while it is still read from elsewhere. */
export interface StreamBody {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly bytes: number;
}

export interface Outgoing {
  readonly method: Method;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly zone: Zone;
  /** The most that the answer's body may have: with a large one the request may take longer. */
  readonly maxBytes: number;
}

export interface ExchangeTimes {
  readonly headersMs: number;
  readonly idleMs: number;
  readonly requestMs: number;
  readonly minBytesPerSecond: number;
}

/**
 * @throws RegistryError ERR_REGISTRY_UNREACHABLE, _TIMEOUT, _CERTIFICATE, _ADDRESS, _PLAIN_HTTP, _PROTOCOL; the reason
 *   of `signal` when that is aborted
 */
export type Exchange = (outgoing: Outgoing, signal?: AbortSignal) => Promise<Answer>;

const userAgent = 'trellis';

/** @param onRequest called once for each request that is sent */
export function createExchange(
  connections: Connections,
  times: ExchangeTimes,
  onRequest: () => void,
): Exchange {
  return async (outgoing, signal) => {
    const { url, method } = outgoing;
    signal?.throwIfAborted();
    const dispatcher = connections.to(url, outgoing.zone);
    const deadline = startDeadline(outgoing, times, signal);
    onRequest();
    const arrived = connections.wait(url);
    try {
      const answering = request(url, {
        dispatcher,
        method,
        headers: {
          'user-agent': userAgent,
          'accept-encoding': 'identity',
          ...lengthOf(outgoing.body),
          ...outgoing.headers,
        },
        body: bodyOf(outgoing.body),
        signal: deadline.signal,
        headersTimeout: times.headersMs,
        bodyTimeout: times.idleMs,
      });
      // The HTTP client looks at the signal once there is a connection, which may never be.
      const { statusCode, headers, body } = await unlessAborted(answering, deadline.signal);
      return new Answer(statusCode, url, headers, {
        pieces: guarded(body, deadline, url),
        abandon: () => {
          deadline.clear();
          // Nobody waits for what it says about being ended.
          body.on('error', () => {}).destroy();
        },
      });
    } catch (error) {
      deadline.clear();
      throw deadline.explain(error, url);
    } finally {
      arrived();
    }
  };
}

function lengthOf(body: Outgoing['body']): Readonly<Record<string, string>> {
  return body !== undefined && 'pieces' in body ? { 'content-length': String(body.bytes) } : {};
}

function bodyOf(body: Outgoing['body']): Uint8Array | Readable | null {
  if (body === undefined) return null;
  return 'pieces' in body ? Readable.from(body.pieces) : body;
}

/** The body of an answer, whose errors are ours and whose end, however it comes, ends the deadline. */
async function* guarded(
  body: AsyncIterable<Uint8Array>,
  deadline: Deadline,
  url: URL,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw deadline.explain(error, url);
  } finally {
    deadline.clear();
  }
}

interface Deadline {
  readonly signal: AbortSignal;
  clear(): void;
  /** What to throw for an error that happened under this deadline. */
  explain(error: unknown, url: URL): unknown;
}

function startDeadline(outgoing: Outgoing, times: ExchangeTimes, signal: AbortSignal | undefined): Deadline {
  const sent =
    outgoing.body === undefined
      ? 0
      : 'pieces' in outgoing.body
        ? outgoing.body.bytes
        : outgoing.body.byteLength;
  const bytes = sent + outgoing.maxBytes;
  const ms = times.requestMs + (bytes / times.minBytesPerSecond) * 1000;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), Math.min(ms, maxTimerMs));
  return {
    signal: signal === undefined ? timeout.signal : AbortSignal.any([timeout.signal, signal]),
    clear: () => clearTimeout(timer),
    explain: (error, url) => {
      if (signal?.aborted === true) return signal.reason;
      if (!timeout.signal.aborted) return failureOf(error, url);
      return new RegistryError('ERR_REGISTRY_TIMEOUT', `${url.host}${url.pathname} takes too long`, {
        cause: error,
      });
    },
  };
}

/** The longest that setTimeout takes. */
const maxTimerMs = 2 ** 31 - 1;
