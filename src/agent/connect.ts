// Opens the agent's HTTP/2 connection to the control plane.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { keyExchangeGroups, meshTls } from '../crypto/algorithms.ts';
import type { Certificate } from '../crypto/x509/certificate.ts';
import { controlPlaneSpiffeId } from '../identity/ids.ts';
import { meshTlsOptions, negotiatedGroup, type TlsCredentials, verifyPeer } from '../identity/mesh-tls.ts';
import { AgentError } from './errors.ts';

/** TCP, TLS and SETTINGS together. */
const connectTimeoutMs = 10_000;
/** A ping finds a control plane that is gone without a FIN. */
const pingIntervalMs = 10_000;
const pingTimeoutMs = 5_000;

export interface ControlPlaneAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectOptions {
  readonly address: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly anchors: readonly Certificate[];
  /** Absent before the agent has joined. */
  readonly credentials: TlsCredentials | undefined;
  readonly now: () => Date;
}

/**
 * Connects and checks that the other end is the control plane.
 * @throws AgentError ERR_AGENT_CONTROL_PLANE (out of reach), ERR_AGENT_CONTROL_PLANE_IDENTITY (it is not who it should be)
 */
export async function connectControlPlane(options: ConnectOptions): Promise<ClientHttp2Session> {
  const socket = await openTls(options);
  const session = connectHttp2(`https://${hostAndPort(options.address)}`, { createConnection: () => socket });
  session.on('error', () => session.destroy());
  await settled(session, options.address);
  keepAlive(session);
  return session;
}

export function hostAndPort({ host, port }: ControlPlaneAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function openTls(options: ConnectOptions): Promise<TLSSocket> {
  const { address, anchors, credentials } = options;
  const socket = connectTls({
    ...meshTlsOptions(anchors, credentials),
    host: address.host,
    port: address.port,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ALPNProtocols: ['h2'],
    // Names in DNS are not what identifies the control plane; its SPIFFE ID is, checked below.
    checkServerIdentity: () => undefined,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      // What OpenSSL has against the certificate; anything else that goes wrong is nobody's identity.
      const reason = socket.authorizationError;
      if (error instanceof AgentError) reject(error);
      else if (reason) reject(notControlPlane(options, String(reason), error));
      else reject(unreachable(address, error));
    };
    const timer = setTimeout(
      () => fail(new Error(`no answer within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      try {
        checkControlPlane(socket, options);
      } catch (error) {
        fail(error);
        return;
      }
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function notControlPlane(
  { address, trustDomain }: ConnectOptions,
  reason: string,
  cause?: unknown,
): AgentError {
  return new AgentError(
    'ERR_AGENT_CONTROL_PLANE_IDENTITY',
    `${hostAndPort(address)} is not the control plane of ${trustDomain}: ${reason}. Check the address, and that the trust anchor file is this mesh's`,
    { cause },
  );
}

function checkControlPlane(socket: TLSSocket, options: ConnectOptions): void {
  const { anchors, trustDomain, now } = options;
  const expected = controlPlaneSpiffeId(trustDomain);
  const refuse = (reason: string, cause?: unknown) => notControlPlane(options, reason, cause);
  const group = negotiatedGroup(socket);
  if (group !== keyExchangeGroups[meshTls.group].tlsName)
    throw refuse(`it negotiated ${group ?? 'no known group'}`);
  try {
    const peer = verifyPeer(socket, { anchors, trustDomain, purpose: 'server', now: now() });
    if (peer?.id.uri !== expected)
      throw refuse(`it is ${peer?.id.uri ?? 'without a certificate'}, not ${expected}`);
  } catch (error) {
    throw error instanceof AgentError
      ? error
      : refuse(error instanceof Error ? error.message : String(error), error);
  }
}

/** Before the peer's SETTINGS a session may still turn out not to be HTTP/2, or to be refused. */
function settled(session: ClientHttp2Session, address: ControlPlaneAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => session.destroy(), connectTimeoutMs);
    session.once('close', () => {
      clearTimeout(timer);
      reject(unreachable(address, new Error('it closed the connection')));
    });
    session.once('remoteSettings', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function keepAlive(session: ClientHttp2Session): void {
  const timer = setInterval(() => {
    const giveUp = setTimeout(() => session.destroy(), pingTimeoutMs);
    const sent = session.ping((error) => {
      clearTimeout(giveUp);
      if (error !== null) session.destroy();
    });
    if (!sent) clearTimeout(giveUp);
  }, pingIntervalMs);
  session.once('close', () => clearInterval(timer));
}

function unreachable(address: ControlPlaneAddress, cause: unknown): AgentError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AgentError(
    'ERR_AGENT_CONTROL_PLANE',
    `cannot reach the control plane at ${hostAndPort(address)}: ${reason}`,
    { cause },
  );
}
