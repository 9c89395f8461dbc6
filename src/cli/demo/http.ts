// Small HTTP requests, as an application or an operator would make them.

import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** On a machine under full load Envoy still answers in well under a second. */
const defaultTimeoutMs = 5000;
/** The largest answer is Envoy's list of statistics, some hundred kilobytes. */
const maxBodyBytes = 8 * 1024 * 1024;

export interface HttpRequest {
  readonly host: string;
  readonly port: number;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Reuses connections; without it every request has its own. */
  readonly agent?: Agent;
  readonly timeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Rejects when there is no complete answer in time. */
export function fetchHttp(wanted: HttpRequest): Promise<HttpAnswer> {
  const {
    host,
    port,
    method = 'GET',
    path,
    headers = {},
    agent = false,
    timeoutMs = defaultTimeoutMs,
  } = wanted;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, method, path, headers, agent }, (response) => {
      readBody(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      }, reject);
    });
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`${host}:${port}${path}: no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > maxBodyBytes) throw new Error(`an answer longer than ${maxBodyBytes} bytes`);
  }
  return body;
}
