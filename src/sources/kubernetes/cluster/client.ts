// HTTP to one API server: an answer in JSON, or a stream that does not end by itself.

import { type Dispatcher, request } from 'undici';
import { firstLine } from '../../../model/problem.ts';
import { KubernetesError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { type ClusterAccess, readMaterial } from './access.ts';
import { createConnections } from './connections.ts';
import { statusError } from './status-error.ts';

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root, e.g. `/api/v1/pods`; names in it are escaped by the caller. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Of the whole answer; the client's limit unless given. */
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

export interface KubeClient {
  /** What a 2xx answer holds. @throws KubernetesError; the signal's reason when that is aborted */
  json(request: KubeRequest): Promise<unknown>;
  /** The bytes of a 2xx answer as they come; end it by `signal`. Nothing limits how long it is silent. */
  stream(request: KubeRequest): Promise<AsyncIterable<Buffer>>;
  close(): Promise<void>;
}

export type ClientLimits = Pick<Limits, 'connectMs' | 'requestMs' | 'maxAnswerBytes'>;

export function createKubeClient(access: ClusterAccess, limits: ClientLimits): KubeClient {
  const dispatcher = createConnections(access, limits.connectMs);
  return {
    json: async (wanted) => {
      const timeoutMs = wanted.timeoutMs ?? limits.requestMs;
      return await within(wanted, timeoutMs, async (signal) => {
        const answer = await send(access, dispatcher, wanted, signal);
        const text = await readText(answer.body, wanted.maxBytes ?? limits.maxAnswerBytes, what(wanted));
        return parseAnswer(answer, text, wanted);
      });
    },
    stream: async (wanted) => {
      // Lives as long as the stream; the limit of time is for its beginning only.
      const whole = new AbortController();
      wanted.signal.addEventListener('abort', () => whole.abort(wanted.signal.reason), { once: true });
      return await within(wanted, limits.requestMs, async (signal) => {
        signal.addEventListener('abort', () => whole.abort(signal.reason), { once: true });
        const answer = await send(access, dispatcher, wanted, whole.signal);
        if (isSuccess(answer)) return translated(answer.body, wanted);
        throw refusal(answer, await readText(answer.body, limits.maxAnswerBytes, what(wanted)), wanted);
      });
    },
    close: () => dispatcher.destroy(),
  };
}

/** Runs with a signal that is aborted with the request's own, or when time is up. */
async function within<T>(
  wanted: KubeRequest,
  timeoutMs: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  wanted.signal.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(wanted.signal.reason);
  wanted.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => {
    const message = `${what(wanted)}: no complete answer within ${timeoutMs} ms`;
    controller.abort(new KubernetesError('ERR_KUBE_TIMEOUT', message));
  }, timeoutMs);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  const running = run(controller.signal);
  // One of the two is not waited for.
  for (const promise of [aborted, running]) promise.catch(() => {});
  try {
    // undici does not hear of an abort until there is a connection to send the request on.
    return await Promise.race([running, aborted]);
  } catch (error) {
    throw translate(error, wanted, controller.signal);
  } finally {
    clearTimeout(timer);
    wanted.signal.removeEventListener('abort', onAbort);
  }
}

async function send(
  access: ClusterAccess,
  dispatcher: Dispatcher,
  wanted: KubeRequest,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const { method = 'GET', path, query = {}, body, contentType = 'application/json' } = wanted;
  // Read for every request: the kubelet renews the token of a pod every hour or so.
  const token = access.token && (await readMaterial(access.token));
  // A server behind a path (some managed clusters) keeps it.
  const url = new URL(access.server.href.replace(/\/$/, '') + path);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return await request(url, {
    method,
    dispatcher,
    signal,
    headers: {
      accept: 'application/json',
      'user-agent': 'trellis',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': contentType }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    // Ours are the limits above; a watch may be silent for a minute.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      // Leaving the loop destroys the body, and with it the connection.
      throw new KubernetesError('ERR_KUBE_TOO_LARGE', `${name}: an answer of more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function isSuccess({ statusCode }: Dispatcher.ResponseData): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function parseAnswer(answer: Dispatcher.ResponseData, text: string, wanted: KubeRequest): unknown {
  if (!isSuccess(answer)) throw refusal(answer, text, wanted);
  try {
    return JSON.parse(text);
  } catch {
    throw new KubernetesError(
      'ERR_KUBE_PROTOCOL',
      `${what(wanted)}: the answer is not JSON; is that an API server?`,
    );
  }
}

function refusal(answer: Dispatcher.ResponseData, text: string, wanted: KubeRequest): KubernetesError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's own page; the status says enough.
  }
  return statusError(what(wanted), answer.statusCode, body, answer.headers['retry-after']);
}

async function* translated(body: AsyncIterable<Buffer>, wanted: KubeRequest): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    throw translate(error, wanted, wanted.signal);
  }
}

function translate(error: unknown, wanted: KubeRequest, signal: AbortSignal): unknown {
  if (wanted.signal.aborted) return wanted.signal.reason;
  if (error instanceof KubernetesError) return error;
  if (signal.aborted && signal.reason instanceof KubernetesError) return signal.reason;
  const reason = firstLine(innermost(error));
  const message = `${what(wanted)}: the API server cannot be reached (${reason})`;
  return new KubernetesError('ERR_KUBE_UNREACHABLE', message, { cause: error });
}

/** undici wraps what happened on the socket; the inner message is the one that says something. */
function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? innermost(error.cause) : error.message || error.name;
}

function what({ method = 'GET', path }: KubeRequest): string {
  return `${method} ${path}`;
}
