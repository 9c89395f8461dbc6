// Which loopback addresses a demo uses. Linux answers on all of 127.0.0.0/8 without set-up, so every workload gets an
// address of its own, as a pod does, and several demos can run side by side on different networks.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { CliError } from '../errors.ts';

/** The networks of one demo, as the first three numbers of a /24. */
export interface Networks {
  /** Pods, and the demo's own parts. */
  readonly pods: string;
  /** Cluster IPs of Services: no one listens there, they are only names. */
  readonly services: string;
}

/** The networks that examples/quantum-trader is written with. */
export const exampleNetworks: Networks = { pods: '127.77.0', services: '127.77.1' };

/** How many demos fit side by side. 127.78 to 127.93, which nothing is known to use. */
const alternatives: readonly Networks[] = Array.from({ length: 16 }, (_, index) => ({
  pods: `127.${78 + index}.0`,
  services: `127.${78 + index}.1`,
}));

/** Held for as long as the demo runs: the kernel gives it to one process only, and takes it back when that is gone. */
const claimHost = 1;
const claimPort = 15010;

/** An address within the pod network. */
export function podAddress(networks: Networks, host: number): string {
  return `${networks.pods}.${host}`;
}

/** Moves every address of one pair of networks to the other. */
export function moveAddresses(text: string, from: Networks, to: Networks): string {
  const move = (all: string, network: string, rest: string): string => {
    if (network === from.pods) return `${to.pods}.${rest}`;
    return network === from.services ? `${to.services}.${rest}` : all;
  };
  return text.replaceAll(/\b(\d{1,3}\.\d{1,3}\.\d{1,3})\.(\d{1,3})\b/g, move);
}

export interface NetworkClaim {
  readonly networks: Networks;
  release(): Promise<void>;
}

export type Listen = (host: string, port: number) => Promise<{ close(): Promise<void> }>;

/**
 * Takes the preferred networks, or the first free ones.
 * @param hosts what will be listened on: last number of the address, and port
 * @throws CliError ERR_UNAVAILABLE when there is no loopback network but 127.0.0.1, or all are taken
 */
export async function claimNetworks(
  preferred: Networks,
  hosts: readonly (readonly [host: number, port: number])[],
  listen: Listen = listenOn,
): Promise<NetworkClaim> {
  const candidates = [preferred, exampleNetworks, ...alternatives];
  for (const networks of candidates) {
    const claim = await tryClaim(networks, hosts, listen);
    if (claim !== undefined) return claim;
  }
  throw new CliError(
    'ERR_UNAVAILABLE',
    `all ${alternatives.length + 1} loopback networks of the demo are in use`,
    {
      hint: 'end another demo; `ss -ltn` shows who listens on 127.77 to 127.93',
    },
  );
}

async function tryClaim(
  networks: Networks,
  hosts: readonly (readonly [number, number])[],
  listen: Listen,
): Promise<NetworkClaim | undefined> {
  const claim = await listenUnlessTaken(listen, podAddress(networks, claimHost), claimPort);
  if (claim === undefined) return undefined;
  for (const [host, port] of hosts) {
    const probe = await listenUnlessTaken(listen, podAddress(networks, host), port);
    if (probe === undefined) {
      await claim.close();
      return undefined;
    }
    await probe.close();
  }
  return { networks, release: () => claim.close() };
}

async function listenUnlessTaken(
  listen: Listen,
  host: string,
  port: number,
): Promise<{ close(): Promise<void> } | undefined> {
  try {
    return await listen(host, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') return undefined;
    if (code !== 'EADDRNOTAVAIL') throw error;
    throw new CliError(
      'ERR_UNAVAILABLE',
      `this machine does not answer on ${host}, only Linux does without set-up`,
      {
        hint: 'on macOS add the addresses first: for i in $(seq 1 99) 200 201; do sudo ifconfig lo0 alias 127.77.0.$i; done',
      },
    );
  }
}

async function listenOn(host: string, port: number): Promise<{ close(): Promise<void> }> {
  const server: Server = createServer((socket) => socket.destroy());
  server.listen(port, host);
  await once(server, 'listening');
  return {
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
