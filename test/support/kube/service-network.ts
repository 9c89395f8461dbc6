// The way from an API server to Services, which here nobody routes: an HTTP proxy (CONNECT) that the API server is told to use for
// them, and that leads to a port of this machine. So the objects of a chart are tested as they are, cluster IPs and port 443.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { onEnd } from '../cleanup.ts';

export interface ServiceNetwork {
  /** For `startKube`. */
  readonly apiServerArgs: readonly string[];
  /** Where connections to any Service lead from now on; nowhere before, or with `undefined`. Open ones stay. */
  lead(target: { readonly host: string; readonly port: number } | undefined): void;
}

export async function startServiceNetwork(): Promise<ServiceNetwork> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-services-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  // Over TCP it would have to be TLS with client certificates.
  const udsName = join(directory, 'proxy.sock');
  let target: { readonly host: string; readonly port: number } | undefined;
  const open = new Set<Duplex>();
  const keep = (socket: Duplex): void => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
  };
  const server = createServer();
  server.on('connect', (_request, client: Duplex) => {
    keep(client);
    if (target === undefined) {
      client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      return;
    }
    const upstream = connect(target);
    keep(upstream);
    upstream.on('connect', () => client.write('HTTP/1.1 200 Connection established\r\n\r\n'));
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.listen(udsName);
  await once(server, 'listening');
  onEnd(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const file = join(directory, 'egress.json');
  const connection = { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName } } };
  const configuration = {
    apiVersion: 'apiserver.k8s.io/v1beta1',
    kind: 'EgressSelectorConfiguration',
    egressSelections: [{ name: 'cluster', connection }],
  };
  await writeFile(file, JSON.stringify(configuration));
  return {
    apiServerArgs: [`--egress-selector-config-file=${file}`],
    lead: (to) => {
      target = to;
    },
  };
}
