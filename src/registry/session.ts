// All that is said to one registry: with authorization where it asks for it, along redirects, again after what passes,
// and not too much at once.

import type { Access, Authorizer, Scope } from './auth/authorizer.ts';
import { RegistryError } from './errors.ts';
import type { Answer } from './http/answer.ts';
import type { Zone } from './http/destination.ts';
import type { Exchange, Method, StreamBody } from './http/exchange.ts';
import { isRedirect, nextUrl } from './http/redirect.ts';
import { isTransient, type RetryRules, Transient, withRetries } from './http/retry.ts';
import type { Slots } from './http/slots.ts';
import type { Repository } from './reference.ts';
import { statusError } from './status-error.ts';

export interface Operation {
  readonly method: Method;
  /** A path below `/v2/`, or a URL that the registry named. */
  readonly target: string | URL;
  readonly repository: Repository;
  readonly scopes: readonly Scope[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | StreamBody;
  /** The statuses that are answers; any other one is an error. */
  readonly expected: readonly number[];
  readonly maxBytes: number;
  /** What a 404 means and what to do then, for people. */
  readonly missing?: string;
  /** False for what cannot be sent twice. */
  readonly again?: boolean;
}

export interface Reply {
  readonly status: number;
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  readonly bytes: Buffer;
}

export interface SessionOptions {
  /** `https://host/v2/` */
  readonly base: URL;
  readonly zone: Zone;
  readonly exchange: Exchange;
  readonly authorizer: Authorizer;
  readonly slots: Slots;
  readonly retry: RetryRules;
  readonly maxRedirects: number;
}

export interface Session {
  readonly base: URL;
  /** The answer with its whole body. @throws RegistryError */
  send(operation: Operation, signal?: AbortSignal): Promise<Reply>;
  /** The answer with a body still to be read, which counts as no request under way. @throws RegistryError */
  open(operation: Operation, signal?: AbortSignal): Promise<Answer>;
}

export function createSession(options: SessionOptions): Session {
  const { base, zone, exchange, authorizer, slots, retry, maxRedirects } = options;

  async function exchangeAuthorized(
    operation: Operation,
    url: URL,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { method, headers = {}, body, maxBytes, repository, scopes } = operation;
    const access: Access = { repository, scopes };
    const send = (authorization: string | undefined): Promise<Answer> => {
      const all = authorization === undefined ? headers : { ...headers, authorization };
      return exchange({ method, url, headers: all, body, zone, maxBytes }, signal);
    };
    const first = await authorizer.header(access, signal);
    const answer = await send(first);
    if (answer.status !== 401) return answer;
    await answer.discard();
    const second = await authorizer.answer(answer.listHeader('www-authenticate'), access, first, signal);
    // Pieces that are sent are gone.
    const again = body !== undefined && 'pieces' in body ? answer : await send(second);
    if (again.status !== 401) return again;
    await again.discard();
    throw await authorizer.refusal(access, signal);
  }

  async function follow(operation: Operation, signal: AbortSignal | undefined): Promise<Answer> {
    const { method, headers = {}, maxBytes, target } = operation;
    const visited = [new URL(target, base)];
    let answer = await exchangeAuthorized(operation, visited[0] ?? base, signal);
    while (isRedirect(answer.status) && (method === 'GET' || method === 'HEAD')) {
      await answer.discard();
      const url = nextUrl(visited, answer.header('location'), maxRedirects);
      visited.push(url);
      // Elsewhere, and on the way back from there, without authorization: what that needs, the registry put into the URL.
      const isAtHome = visited.every(({ origin }) => origin === base.origin);
      answer = isAtHome
        ? await exchangeAuthorized(operation, url, signal)
        : await exchange({ method, url, headers, zone, maxBytes }, signal);
    }
    return answer;
  }

  async function once<T>(
    operation: Operation,
    take: (answer: Answer) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | Transient> {
    let answer: Answer;
    try {
      answer = await follow(operation, signal);
      if (operation.expected.includes(answer.status)) return await take(answer);
    } catch (error) {
      // Refused, cut or unanswered connections; whatever else is wrong will be wrong again.
      const isPassing = error instanceof RegistryError && error.code === 'ERR_REGISTRY_UNREACHABLE';
      if (!isPassing || operation.again === false) throw error;
      return new Transient(error);
    }
    const error = await statusError(operation.method, answer, operation.missing);
    if (!isTransient(answer.status) || operation.again === false) throw error;
    return new Transient(error, answer.listHeader('retry-after'));
  }

  async function run<T>(
    operation: Operation,
    take: (answer: Answer) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const attempt = (): Promise<T | Transient> =>
      slots.run(async () => await once(operation, take, signal), signal);
    return await withRetries(retry, attempt, signal);
  }

  return {
    base,
    send: (operation, signal) => run(operation, (answer) => replyOf(operation, answer), signal),
    open: (operation, signal) => run(operation, async (answer) => answer, signal),
  };
}

async function replyOf(operation: Operation, answer: Answer): Promise<Reply> {
  const bytes = operation.method === 'HEAD' ? Buffer.alloc(0) : await answer.bytes(operation.maxBytes);
  if (operation.method === 'HEAD') await answer.discard();
  return { status: answer.status, url: answer.url, header: (name) => answer.header(name), bytes };
}
