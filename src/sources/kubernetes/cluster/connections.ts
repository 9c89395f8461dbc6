// TLS connections to one API server.

import { Agent, buildConnector } from 'undici';
import { type ClusterAccess, readMaterial } from './access.ts';

/** CA and client certificate are read for every connection: both are renewed in place, and connections are few. */
export function createConnections(access: ClusterAccess, connectMs: number): Agent {
  return new Agent({
    // HTTP/1.1: a watch that is stuck then holds up nothing else.
    allowH2: false,
    pipelining: 1,
    connect: (options, callback) => {
      readTls(access).then(
        (tls) => {
          // A connector each: none remembers a TLS session, which could outlive the CA that vouched for it.
          buildConnector({ ...tls, allowH2: false, timeout: connectMs })(options, callback);
        },
        (error: Error) => callback(error, null),
      );
    },
  });
}

async function readTls({ ca, client, tlsServerName }: ClusterAccess): Promise<buildConnector.BuildOptions> {
  return {
    ...(ca && { ca: await readMaterial(ca) }),
    ...(client && { cert: await readMaterial(client.certificate), key: await readMaterial(client.key) }),
    ...(tlsServerName && { servername: tlsServerName }),
  };
}
