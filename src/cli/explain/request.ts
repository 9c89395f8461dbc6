// The request that is asked about, as the called pod's proxy sees it.

import type { RequestAttributes } from '../../policy/authorize/request.ts';
import { tcpMethod } from '../../policy/authorize/request.ts';
import { CliError } from '../errors.ts';

export interface Header {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
}

/** What the user says about the request; what he does not say is assumed. */
export interface AskedRequest {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: readonly Header[];
  readonly token: string | undefined;
}

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** `name: value`. @throws CliError ERR_USAGE */
export function parseHeader(text: string): Header {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0)).trim();
  const value = text.slice(colon + 1).trim();
  if (colon <= 0 || !token.test(name) || !/^[^\p{Cc}]*$/u.test(value)) {
    throw new CliError('ERR_USAGE', `${JSON.stringify(text)} is no header`, {
      hint: "write it as in --header 'x-desk: eur-usd'",
    });
  }
  return { name: name.toLowerCase(), value };
}

/** @throws CliError ERR_USAGE */
export function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (!token.test(method)) throw new CliError('ERR_USAGE', `${JSON.stringify(text)} is no HTTP method`);
  if (method === tcpMethod) {
    throw new CliError('ERR_USAGE', 'CONNECT is how the mesh carries TCP; the proxy takes no such request', {
      hint: 'ask about a TCP port without --method',
    });
  }
  return method;
}

/**
 * The path, with its query. The proxy of the called pod normalizes paths before anything is decided; rather than doing the
 * same a second time, in a way that could differ, only paths that stay as they are are taken.
 * @throws CliError ERR_USAGE
 */
export function parsePath(text: string): string {
  const [path = ''] = text.split('?', 1);
  const bad = (message: string, hint: string) =>
    new CliError('ERR_USAGE', `${JSON.stringify(text)}: ${message}`, { hint });
  if (!text.startsWith('/')) throw bad('a path begins with /', 'write it as in --path /orders/7');
  if (!/^[\x21-\x7e]*$/.test(text) || text.includes('#'))
    throw bad('a path with characters that a request cannot have', 'percent-encode them, and leave out #');
  if (/%2f|%5c/i.test(path))
    throw bad('the proxy answers 400 to an escaped slash, before any policy is asked', 'leave it out');
  if (/\/\/|\\|\/\.{1,2}(\/|$)/.test(path))
    throw bad('the proxy resolves //, /./, /../ and \\ first', 'ask about the path that is left then');
  if (/%(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i.test(path))
    throw bad('the proxy decodes letters, digits and -._~ first', 'write them as they are');
  return text;
}

/** Headers in which proxies talk to each other are removed before anything is decided (xds/translate/http.ts). */
const removed = /^x[-_](trellis|envoy)|^x[-_]forwarded[-_]client[-_]cert$/;

export function isRemoved({ name }: Header): boolean {
  return removed.test(name);
}

export interface CallContext {
  readonly principal: string;
  readonly port: number;
  readonly isTcp: boolean;
  /** What the application writes into Host when it is told nothing else. */
  readonly host: string;
}

/** The request in the form that decisions are made on. */
export function attributesOf(asked: AskedRequest, context: CallContext): RequestAttributes {
  const { principal, port, isTcp } = context;
  const headers = asked.headers.filter((header) => header.name !== 'host' && !isRemoved(header));
  if (asked.token !== undefined) headers.push({ name: 'authorization', value: `Bearer ${asked.token}` });
  return {
    principal,
    port,
    method: isTcp ? tcpMethod : (asked.method ?? defaultMethod),
    path: isTcp ? '' : (asked.path ?? defaultPath),
    host: asked.headers.find(({ name }) => name === 'host')?.value ?? context.host,
    header: (name) => headers.filter((header) => header.name === name).map(({ value }) => value),
  };
}

const defaultMethod = 'GET';
export const defaultPath = '/';
