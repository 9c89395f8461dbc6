// The request that is asked about, as the called pod's proxy sees it.

import type { RequestAttributes } from '../policy/authorize/request.ts';
import { areTwins, tcpMethod } from '../policy/authorize/request.ts';
import { isProxyHeader } from '../xds/translate/proxy-headers.ts';

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

/** Whether the proxy takes a header away, or writes it anew, before anything is decided. */
export function isRemoved({ name }: Header): boolean {
  return isProxyHeader(name) || name === 'x-forwarded-client-cert';
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
    hasTwin: (name) => headers.some((header) => areTwins(header.name, name)),
  };
}

const defaultMethod = 'GET';
export const defaultPath = '/';
