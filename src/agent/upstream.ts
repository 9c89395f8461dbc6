// The agent's one connection to the control plane, kept open: reconnected when it is lost, and replaced, new before
// old, when the agent has a new SVID.

import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './backoff.ts';

export interface UpstreamHooks {
  readonly onUp: () => void;
  /** The reason why there is no connection now. */
  readonly onDown: (reason: string) => void;
}

export interface UpstreamOptions {
  readonly connect: () => Promise<ClientHttp2Session>;
  readonly random: () => number;
  readonly hooks: UpstreamHooks;
  readonly signal: AbortSignal;
}

/** Time for streams of a replaced session to end by themselves before they are cut. */
const retireMs = 2_000;

export class Upstream {
  readonly #options: UpstreamOptions;
  #session: ClientHttp2Session | undefined;
  #waiting: ((session: ClientHttp2Session) => void)[] = [];
  #running = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#session?.destroy(), { once: true });
  }

  /** The connection, when there is one. */
  current(): ClientHttp2Session | undefined {
    return this.#session;
  }

  /** The connection, as soon as there is one. Rejects when the agent stops. */
  ready(): Promise<ClientHttp2Session> {
    const { signal } = this.#options;
    if (this.#session !== undefined) return Promise.resolve(this.#session);
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.push((session) => {
        signal.removeEventListener('abort', stop);
        resolve(session);
      });
    });
  }

  /** Keeps a connection open until the agent stops. */
  start(): void {
    void this.#run();
  }

  /** Opens a connection with the agent's present credentials and retires the one in use. */
  async replace(): Promise<void> {
    const session = await this.#options.connect();
    if (this.#options.signal.aborted) {
      session.destroy();
      return;
    }
    // Only now: the one in use may have been lost and reopened meanwhile.
    const old = this.#session;
    this.#adopt(session);
    if (old === undefined) return;
    const cut = setTimeout(() => old.destroy(), retireMs);
    old.once('close', () => clearTimeout(cut));
    old.close();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { signal, random, hooks } = this.#options;
    for (let attempt = 0; !signal.aborted && this.#session === undefined; attempt++) {
      try {
        const session = await this.#options.connect();
        if (signal.aborted) session.destroy();
        else if (this.#session === undefined) this.#adopt(session);
        else session.destroy();
      } catch (error) {
        hooks.onDown(error instanceof Error ? error.message : String(error));
        await sleep(backoffMs(attempt, random), undefined, { signal }).catch(() => {});
      }
    }
    this.#running = false;
  }

  #adopt(session: ClientHttp2Session): void {
    // Its `close` would never be heard.
    if (session.destroyed) throw new Error('the connection was closed as soon as it was open');
    this.#session = session;
    session.once('close', () => this.#lost(session));
    this.#options.hooks.onUp();
    for (const resolve of this.#waiting.splice(0)) resolve(session);
  }

  #lost(session: ClientHttp2Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    if (this.#options.signal.aborted) return;
    this.#options.hooks.onDown('the connection was closed');
    void this.#run();
  }
}
