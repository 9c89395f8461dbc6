// An agent that joins, and the answer is lost on the way.

import { createSecureServer } from 'node:http2';
import { join as joinPath } from 'node:path';
import { expect, test } from 'vitest';
import { runAgent } from '../../../src/agent/agent.ts';
import { openAuthority } from '../../../src/control-plane/authority.ts';
import { identityService } from '../../../src/control-plane/identity-service.ts';
import { listen } from '../../../src/control-plane/listen.ts';
import { PeerAuthenticator } from '../../../src/control-plane/peer.ts';
import { issueServerIdentity } from '../../../src/control-plane/server-identity.ts';
import type { Method, UnaryHandler } from '../../../src/grpc/call.ts';
import { grpcLimits, http2ServerOptions } from '../../../src/grpc/limits.ts';
import { serveGrpc } from '../../../src/grpc/server.ts';
import { createJoinToken } from '../../../src/identity/join-tokens.ts';
import { meshTlsOptions } from '../../../src/identity/mesh-tls.ts';
import { onEnd } from '../../support/cleanup.ts';
import { temporaryDirectory, testLog } from '../../support/control-plane.ts';
import { trustDomain } from '../../support/manifests.ts';
import { until } from '../../support/until.ts';
import { FakeMesh } from '../control-plane/support.ts';

const now = () => new Date();

/** A control plane with a hook around Join. */
async function startControlPlane(stateDirectory: string, around: (join: UnaryHandler) => UnaryHandler) {
  const svidLifetimeMs = 3_600_000;
  const authority = await openAuthority({
    stateDirectory,
    trustDomain,
    svidLifetimeMs,
    now,
    log: testLog().logger,
  });
  const peers = new PeerAuthenticator({ bundle: authority.bundle, now });
  const methods = new Map<string, Method>();
  const service = identityService({
    ...authority,
    state: new FakeMesh().state,
    agentOf: ({ session }) => peers.agent(session),
    renewingAgentOf: ({ session }) => peers.renewingAgent(session),
    onIssued: () => {},
    onMinted: () => {},
  });
  for (const [path, method] of service) {
    const isJoin = method.kind === 'unary' && path.endsWith('/Join');
    methods.set(path, isJoin ? { ...method, handle: around(method.handle) } : method);
  }
  const server = createSecureServer({
    ...http2ServerOptions(grpcLimits()),
    ...meshTlsOptions(authority.bundle.anchors, issueServerIdentity(authority)),
    requestCert: true,
    rejectUnauthorized: false,
  });
  const grpc = serveGrpc(server, methods);
  onEnd(() => grpc.close(0));
  return { address: await listen(server, { host: '127.0.0.1', port: 0 }), anchors: authority.bundle.anchors };
}

test('an agent joins although the answer to its first attempt was lost', async () => {
  const directory = await temporaryDirectory();
  const stateDirectory = joinPath(directory, 'state');
  let joins = 0;
  const { address, anchors } = await startControlPlane(stateDirectory, (join) => async (request, call) => {
    const answer = await join(request, call);
    joins++;
    if (joins === 1) call.session.destroy();
    return answer;
  });
  const { token } = await createJoinToken({
    dir: stateDirectory,
    workload: { namespace: 'shop', name: 'client' },
    now: now(),
  });
  const stop = new AbortController();
  const ids: string[] = [];
  const ended = runAgent({
    controlPlane: address,
    trustDomain,
    anchors,
    joinToken: token,
    socket: joinPath(directory, 'agent.sock'),
    log: testLog().logger,
    report: {
      connected() {},
      disconnected() {},
      svid: ({ spiffeId }) => ids.push(spiffeId),
      renewalFailed() {},
      authorization() {},
      decision() {},
    },
    now,
    random: () => 0,
    signal: stop.signal,
  });
  onEnd(() => {
    stop.abort();
    return ended;
  });
  await Promise.race([until('an SVID', () => ids[0]), ended]);
  expect(ids).toEqual([`spiffe://${trustDomain}/ns/shop/sa/client`]);
  expect(joins).toBe(2);
});
