// Our side: the real translation and the real delta protocol, each client's proxy being one workload's. A line on standard
// input changes one endpoint.

import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { StreamCall } from '../../src/grpc/call.ts';
import { grpcLimits, http2ServerOptions } from '../../src/grpc/limits.ts';
import { serveGrpc } from '../../src/grpc/server.ts';
import type { NamespacedName } from '../../src/model/mesh.ts';
import { adsPath, workloadHeader } from '../../src/xds/agreed-names.ts';
import { serveDelta } from '../../src/xds/server.ts';
import { MeshSnapshots } from '../../src/xds/snapshots.ts';
import { benchMesh, benchSettings, changedMesh } from './mesh-state.ts';

let state = benchMesh();
const snapshots = new MeshSnapshots(state, benchSettings);
const limits = grpcLimits();
const server = createServer(http2ServerOptions(limits));
const handle = (call: StreamCall): Promise<void> =>
  serveDelta(call, snapshots.source(String(call.headers[workloadHeader]) as NamespacedName));
serveGrpc(server, new Map([[adsPath, { kind: 'stream', endless: true, handle }]]));
// A restart brings all proxies at once: as many may wait to be accepted as Go lets wait.
server.listen({ port: 0, host: '127.0.0.1', backlog: limits.maxSessions });
await once(server, 'listening');
console.log('ready');
console.log((server.address() as AddressInfo).port);
let number = 0;
createInterface({ input: process.stdin }).on('line', () => {
  state = changedMesh(state, number);
  number += 1;
  snapshots.update(state);
});
