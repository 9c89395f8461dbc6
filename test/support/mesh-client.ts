// A member of the mesh that is not Envoy: a TLS client with a genuine identity, or with one that is not quite right.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { connectControlPlane } from '../../src/agent/connect.ts';
import { type HeldSvid, join, mintWorkloadSvid } from '../../src/agent/identity-client.ts';
import type { Certificate } from '../../src/crypto/x509/certificate.ts';
import { meshTlsOptions, type TlsCredentials } from '../../src/identity/mesh-tls.ts';
import type { TestControlPlane } from './control-plane.ts';
import { type Call, Http2Client } from './http-client.ts';
import { namespace, trustDomain } from './manifests.ts';

/** Where every proxy of the mesh takes connections of other proxies. */
export const inboundPort = 15008;

/** A connection to the control plane as an agent makes it; without credentials, as one that has not joined yet. */
export async function connectAgent(
  controlPlane: TestControlPlane,
  credentials?: TlsCredentials,
): Promise<ClientHttp2Session> {
  return await connectControlPlane({
    address: controlPlane.address,
    trustDomain,
    anchors: await controlPlane.anchors(),
    credentials,
    now: controlPlane.now,
  });
}

/** The agent and the workload of a pod, each with its own key, obtained as an agent obtains them. */
export async function obtainIdentity(
  controlPlane: TestControlPlane,
  workload: string,
): Promise<{ readonly agent: HeldSvid; readonly svid: HeldSvid }> {
  const unknown = await connectAgent(controlPlane);
  try {
    const { svid: agent } = await join(unknown, await controlPlane.token(workload), trustDomain);
    const known = await connectAgent(controlPlane, agent);
    try {
      return { agent, svid: await mintWorkloadSvid(known, { namespace, name: workload }, trustDomain) };
    } finally {
      known.destroy();
    }
  } finally {
    unknown.destroy();
  }
}

export interface MeshClientOptions {
  /** Address of the workload called. */
  readonly address: string;
  /** Its application's port. */
  readonly port: number;
  readonly anchors: readonly Certificate[];
  readonly credentials?: TlsCredentials | undefined;
  /** What is unusual about this client. */
  readonly tls?: ConnectionOptions;
}

/** Rejects when the handshake fails on this side; a server's verdict on our certificate comes only with the first answer. */
export function meshHandshake(options: MeshClientOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...meshTlsOptions(options.anchors, options.credentials),
      host: options.address,
      port: inboundPort,
      servername: `port-${options.port}.mesh.trellis.internal`,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
      ...options.tls,
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.on('error', reject);
    socket.once('close', () => reject(closed()));
  });
}

export async function openMeshConnection(options: MeshClientOptions): Promise<Http2Client> {
  const socket = await meshHandshake(options);
  return new Http2Client(connectHttp2('https://mesh', { createConnection: () => socket }));
}

/** What became of one request on a connection of its own. */
export type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly denied: string }
  /** The server ended the connection. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Throws when it was neither answered nor refused: a client that cannot even try proves nothing. */
export async function attempt(options: MeshClientOptions, call: Call = {}): Promise<Attempt> {
  try {
    const client = await openMeshConnection(options);
    try {
      const { status, headers } = await client.request('whoever', call).catch((error: unknown) => {
        throw client.end === undefined ? error : closed(client.end);
      });
      return { kind: 'answered', status, denied: String(headers['x-trellis-denied'] ?? '') };
    } finally {
      client.close();
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (refusals.some((pattern) => pattern.test(code))) return { kind: 'refused', reason: code };
    throw error;
  }
}

/** Alerts of the server, and connections it cut. */
const refusals = [/^ERR_SSL_.*ALERT/, /^ERR_SSL_TLSV1/, /^ECONNRESET$/, /^EPIPE$/, /^CLOSED:/];

function closed(why = 'closed'): Error {
  return Object.assign(new Error(`the server ended the connection: ${why}`), { code: `CLOSED: ${why}` });
}
