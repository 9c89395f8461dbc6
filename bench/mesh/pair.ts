// A pair of Envoys with a mutual-TLS connection between them, and requests through both.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { H2Client } from '../measure/h2-client.ts';
import { Program } from '../measure/program.ts';
import { answer, clientConfig, serverConfig } from './envoy-config.ts';
import type { Pki } from './pki.ts';

const host = '127.0.0.1';
const readyMs = 20_000;

export interface PairOptions {
  readonly envoy: string;
  /** For files and messages. */
  readonly name: string;
  readonly directory: string;
  readonly pki: Pki;
  /** Socket of the agent that checks counter-signatures. */
  readonly authorizer?: string;
}

export class Pair {
  readonly #client: Program;
  readonly #server: Program;
  readonly #port: number;

  private constructor(client: Program, server: Program, port: number) {
    this.#client = client;
    this.#server = server;
    this.#port = port;
  }

  static async start({ envoy, name, directory, pki, authorizer }: PairOptions): Promise<Pair> {
    const [serverPort, port] = [await freePort(), await freePort()];
    const start = async (role: string, listening: number, resources: object): Promise<Program> => {
      const file = join(directory, `${name}-${role}.json`);
      await writeFile(
        file,
        JSON.stringify({ node: { id: role, cluster: 'bench' }, static_resources: resources }),
      );
      // The configuration holds keys, and only this process reads it: it is gone with the directory.
      const args = ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'error'];
      return Program.start({
        name: `${name} ${role}`,
        command: envoy,
        args,
        ready: () => accepts(listening),
      });
    };
    const server = await start('server', serverPort, serverConfig(serverPort, pki, authorizer));
    const client = await start('client', port, clientConfig(port, serverPort, pki));
    return new Pair(client, server, port);
  }

  /** CPU time of both proxies. */
  cpuMs(): number {
    return this.#client.cpuMs() + this.#server.cpuMs();
  }

  /**
   * Sends requests, some at a time, on one connection to the first proxy.
   * @returns how long each took, in milliseconds
   */
  async request(path: string, count: number, inFlight: number): Promise<readonly number[]> {
    const client = await H2Client.connect({ host, port: this.#port }, [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'orders'],
    ]);
    return new Promise((resolve, reject) => {
      const took: number[] = [];
      let started = 0;
      const startMore = (): void => {
        while (started - took.length < inFlight && started < count) {
          started += 1;
          const start = performance.now();
          let body = '';
          client.open(
            {
              onData: (chunk) => {
                body += chunk.toString();
              },
              onEnd: () => {
                took.push(performance.now() - start);
                if (body !== answer) {
                  client.close();
                  reject(new Error(`instead of the answer came: ${body}`));
                } else if (took.length < count) {
                  startMore();
                } else {
                  client.close();
                  resolve(took);
                }
              },
            },
            { endStream: true },
          );
        }
      };
      startMore();
      client.flush();
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#client.stop(), this.#server.stop()]);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when somebody listens there. */
async function accepts(port: number): Promise<void> {
  for (const end = performance.now() + readyMs; performance.now() < end; await sleep(20)) {
    const socket = connect(port, host);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
  }
  throw new Error(`nobody listens on port ${port}`);
}
