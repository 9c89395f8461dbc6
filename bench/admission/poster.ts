// Asks a webhook as an API server does, over connections that stay open.

import { Pool } from 'undici';

export interface Target {
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  /** In its certificate. */
  readonly serverName: string;
}

export class Poster {
  readonly #pool: Pool;
  readonly #path: string;

  /** @param connections at most; each has one question under way @param webhook its path */
  constructor({ url, ca, serverName }: Target, connections: number, webhook = '/validate') {
    this.#path = `${webhook}?timeout=10s`;
    this.#pool = new Pool(url, { connections, pipelining: 1, connect: { ca, servername: serverName } });
  }

  /** @returns the answer @throws unless it allows */
  async ask(review: string): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const { statusCode, body } = await this.#pool.request({
      path: this.#path,
      method: 'POST',
      headers,
      body: review,
    });
    const answer = await body.text();
    if (statusCode !== 200 || !answer.includes('"allowed":true')) throw new Error(`${statusCode} ${answer}`);
    return answer;
  }

  /** Asks all of them, so many at a time. @param reviewOf the one of a number from 0 up */
  async askAll(count: number, parallel: number, reviewOf: (number: number) => string): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) await this.ask(reviewOf(next++));
    };
    await Promise.all(Array.from({ length: Math.min(parallel, count) }, work));
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
