import { create, toBinary } from '@bufbuild/protobuf';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { discoveryServices, maxStreamsPerWorkload } from '../../../src/control-plane/discovery-services.ts';
import { DeltaDiscoveryRequestSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { status } from '../../../src/grpc/status.ts';
import { adsPath, authorizationDiscoveryPath, workloadHeader } from '../../../src/xds/agreed-names.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { until } from '../../support/until.ts';
import { bytes, grpcJsClient, startServer } from '../grpc/support.ts';
import { agentId, FakeMesh, name, pod } from './support.ts';

async function serve() {
  const mesh = new FakeMesh();
  const { state, workloadOf, bindToPod } = mesh;
  let streams = 0;
  const methods = discoveryServices({
    state,
    workloadOf,
    bindToPod,
    agentOf: () => ({ agentId, notAfter: new Date(Date.now() + 3_600_000) }),
    source: () => mesh,
    hooks: () => ({}),
    onStreams: (change) => {
      streams += change;
    },
    now: () => new Date(),
  });
  const { port } = await startServer(Object.fromEntries(methods));
  const client = grpcJsClient(port);
  const metadata = new Metadata();
  metadata.set(workloadHeader, name);
  return {
    mesh,
    streams: () => streams,
    open(typeUrl: string = typeUrls.cluster, path = adsPath) {
      const stream = client.makeBidiStreamRequest(path, bytes, bytes, metadata);
      const end = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
      stream.on('data', () => {});
      stream.write(
        Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl }))),
      );
      return { stream, end };
    },
  };
}

describe('an ADS stream', () => {
  test('is ended with the reason when another pod took over the name', async () => {
    const { mesh, open, streams } = await serve();
    const { end } = open();
    await until('the stream', () => streams() === 1);
    mesh.change(pod({ uid: 'u-2' }));
    expect(await end).toMatchObject({
      code: status.permissionDenied,
      details: expect.stringContaining(name),
    });
    await until('the end of the stream', () => streams() === 0);
  });

  test('asks for no secrets: those are with the agent', async () => {
    const { open, streams } = await serve();
    expect(await open(typeUrls.secret).end).toMatchObject({ code: status.invalidArgument });
    await until('the end of the stream', () => streams() === 0);
  });

  test('asks not for what is for the agent, nor an agent for what is for proxies', async () => {
    const { open } = await serve();
    expect(await open(typeUrls.authorization).end).toMatchObject({ code: status.invalidArgument });
    const refused = await open(typeUrls.cluster, authorizationDiscoveryPath).end;
    expect(refused).toMatchObject({ code: status.invalidArgument });
  });

  test('of an agent is not counted among those of proxies', async () => {
    const { mesh, open, streams } = await serve();
    const { end } = open(typeUrls.authorization, authorizationDiscoveryPath);
    open();
    await until('the stream of the proxy', () => streams() === 1);
    // It is held to the same conditions.
    mesh.change(pod({ uid: 'u-2' }));
    expect(await end).toMatchObject({ code: status.permissionDenied });
  });

  test('is one of a few for its workload', async () => {
    const { open, streams } = await serve();
    const held = Array.from({ length: maxStreamsPerWorkload }, () => open());
    await until('the streams', () => streams() === maxStreamsPerWorkload);
    expect(await open().end).toMatchObject({ code: status.resourceExhausted });
    held[0]?.stream.cancel();
    await until('the end of one', () => streams() === maxStreamsPerWorkload - 1);
    open();
    await until('another', () => streams() === maxStreamsPerWorkload);
  });
});
