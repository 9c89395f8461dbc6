// Leads the traffic of one pair of proxies over a tap on the wire, by an ordinary change of an EndpointSlice.

import { isMap } from 'yaml';
import { type Hello, parseClientHello, parseServerHello } from '../hello.ts';
import { podAddress } from '../networks.ts';
import { type RunningMesh, serviceNamed } from '../running-mesh.ts';
import { inboundPort } from '../tls-client.ts';
import { waitFor } from '../wait.ts';
import { startWiretap, type Wiretap } from '../wiretap.ts';
import { callService } from '../workload-client.ts';

/** Last number of the tap's address. */
export const tapHost = 200;
const timeoutMs = 5000;

/** What is called through the tap: allowed by the example's policies, and used by no other check at the same time. */
export const tapped = { from: 'gateway', to: 'portfolio', method: 'GET', path: '/positions/tapped' } as const;

export function startTap(mesh: RunningMesh): Promise<Wiretap> {
  const { address } = serviceNamed(mesh, tapped.to);
  return startWiretap(podAddress(mesh.networks, tapHost), address, inboundPort);
}

/** Where the tapped service's EndpointSlice is. */
export const tappedFile = `${tapped.to}.yaml`;

/** Makes the tap the one endpoint of the service, as a pod that has moved would be. */
export function pointAtTap(mesh: RunningMesh): Promise<number> {
  return pointEndpoint(mesh, tappedFile, podAddress(mesh.networks, tapHost));
}

/** Gives the one endpoint in a file's EndpointSlice another address, and another port when one is given. */
export function pointEndpoint(
  mesh: RunningMesh,
  file: string,
  address: string,
  port?: number,
): Promise<number> {
  return mesh.editor.change(file, 'EndpointSlice', (slice) => {
    slice.setIn(['endpoints', 0, 'addresses'], [address]);
    const first = slice.getIn(['ports', 0]);
    if (port !== undefined && isMap(first)) first.set('port', port);
  });
}

/** One request; resolves to the status. */
export async function callTapped(mesh: RunningMesh): Promise<number> {
  const { from, to, method, path } = tapped;
  return (await callService(serviceNamed(mesh, from), serviceNamed(mesh, to), { method, path })).status;
}

/** The first messages of a handshake between two real proxies, as they crossed the wire. */
export async function tapOneCall(
  mesh: RunningMesh,
): Promise<{ readonly clientHello: Hello | undefined; readonly serverHello: Hello | undefined }> {
  const tap = await startTap(mesh);
  try {
    await pointAtTap(mesh);
    const seen = await waitFor(
      { what: 'a handshake on the wire', timeoutMs, signal: mesh.signal },
      async () => {
        await callTapped(mesh);
        const [connection] = tap.connections;
        return connection !== undefined && connection.fromServer.length > 0 ? connection : undefined;
      },
    );
    return {
      clientHello: parseClientHello(seen.fromClient),
      serverHello: parseServerHello(seen.fromServer),
    };
  } finally {
    await mesh.editor.restore(tappedFile);
    await untapped(mesh, tap);
  }
}

/** Waits until nothing goes over the tap any more, so that closing it cuts no request. */
export async function untapped(mesh: RunningMesh, tap: Wiretap): Promise<void> {
  await waitFor({ what: 'the traffic to leave the tap', timeoutMs, signal: mesh.signal }, () => {
    return tap.open() === 0 || undefined;
  }).finally(() => tap.close());
}
