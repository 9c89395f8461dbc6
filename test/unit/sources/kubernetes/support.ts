// An API server that does as it is told, one request after the other, and a clock that does too.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../../../src/sources/kubernetes/clock.ts';
import type { ClusterAccess } from '../../../../src/sources/kubernetes/cluster/access.ts';
import { createKubeClient, type KubeClient } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits, type Limits } from '../../../../src/sources/kubernetes/limits.ts';
import { onEnd } from '../../../support/cleanup.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (response: ServerResponse, asked: Asked) => void;

export interface FakeApi {
  readonly access: ClusterAccess;
  /** Every request so far. */
  readonly asked: readonly Asked[];
  /** Answers the next requests that have none yet, in order; a request without an answer waits for one. */
  script(...answers: readonly Answer[]): void;
  /** Of requests not answered yet. */
  waiting(): number;
}

export async function startFakeApi(): Promise<FakeApi> {
  const asked: Asked[] = [];
  const answers: Answer[] = [];
  const waiting: ((answer: Answer) => void)[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://x');
      const one = {
        method: request.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body,
      };
      asked.push(one);
      const answer = answers.shift();
      if (answer === undefined) waiting.push((late) => late(response, one));
      else answer(response, one);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    access: accessTo(`http://127.0.0.1:${address.port}`),
    asked,
    script: (...more) => {
      for (const answer of more) {
        const late = waiting.shift();
        if (late === undefined) answers.push(answer);
        else late(answer);
      }
    },
    waiting: () => waiting.length,
  };
}

export function accessTo(server: string, more: Partial<ClusterAccess> = {}): ClusterAccess {
  const nothing = { tlsServerName: undefined, ca: undefined, token: undefined, client: undefined };
  return { server: new URL(server), ...nothing, namespace: undefined, ...more };
}

export function clientTo(access: ClusterAccess, limits: Partial<Limits> = {}): KubeClient {
  const client = createKubeClient(access, { ...defaultLimits, ...limits });
  onEnd(() => client.close());
  return client;
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

export const refusal = (code: number, more: object = {}, headers: Readonly<Record<string, string>> = {}) =>
  json(code, { kind: 'Status', status: 'Failure', code, message: 'because', ...more }, headers);

export function object(name: string, resourceVersion: string, more: object = {}): object {
  return { metadata: { name, namespace: 'a', uid: `uid-${name}`, resourceVersion }, ...more };
}

export const list = (resourceVersion: string, items: readonly object[], next?: string, kind = 'PodList') =>
  json(200, {
    kind,
    apiVersion: 'v1',
    metadata: { resourceVersion, ...(next && { continue: next }) },
    items,
  });

export const event = (type: string, content: object): string =>
  `${JSON.stringify({ type, object: content })}\n`;

/** Stays open after these lines. */
export const watch =
  (...lines: readonly string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const line of lines) response.write(line);
  };

/** Ends as watches do when their time is up. */
export const watchThatEnds =
  (...lines: readonly string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(lines.join(''));
  };

export const watchThatBreaks =
  (...lines: readonly string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(lines.join(''), () => setImmediate(() => response.destroy()));
  };

export interface ManualClock extends Clock {
  /** Milliseconds of the sleeps that are going on. */
  sleeping(): readonly number[];
  /** Lets time pass; whoever has slept long enough wakes. */
  advance(ms: number): void;
}

/** Stands still until told. */
export function manualClock(): ManualClock {
  let time = 1_000;
  const sleepers = new Set<{ readonly ms: number; readonly until: number; readonly wake: () => void }>();
  return {
    now: () => new Date(1_800_000_000_000 + time),
    monotonic: () => time,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const sleeper = { ms, until: time + ms, wake };
        sleepers.add(sleeper);
        signal.addEventListener('abort', wake);
      }),
    sleeping: () => [...sleepers].map(({ ms }) => ms),
    advance: (ms) => {
      time += ms;
      for (const { until, wake } of [...sleepers]) if (until <= time) wake();
    },
  };
}
