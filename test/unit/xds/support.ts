// Small resources of every type, and a delta stream with a client at its other end.

import { create } from '@bufbuild/protobuf';
import {
  Cluster_DiscoveryType,
  ClusterSchema,
} from '../../../src/gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '../../../src/gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../../../src/gen/proto/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../../../src/gen/proto/envoy/config/route/v3/route_pb.ts';
import { DeltaStream } from '../../../src/xds/delta-stream.ts';
import { decodeDiscoveryRequest } from '../../../src/xds/discovery-request.ts';
import { ResourceEncoder } from '../../../src/xds/encode.ts';
import { createLayer, emptyLayer } from '../../../src/xds/layer.ts';
import type { DeltaHooks } from '../../../src/xds/proxy-status.ts';
import { type EncodedResource, type Snapshot, typeUrls } from '../../../src/xds/resources.ts';
import { DeltaClient, type DeltaClientOptions } from '../../support/delta-client.ts';

const encoder = new ResourceEncoder();

/** Each with one word of content, to be found again in its bytes. Clusters find their endpoints by their own name. */
export const cluster = (name: string, content = ''): EncodedResource =>
  encoder.encode(
    create(ClusterSchema, {
      name,
      altStatName: content,
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    }),
  );
export const endpoints = (clusterName: string, content = ''): EncodedResource =>
  encoder.encode(
    create(ClusterLoadAssignmentSchema, { clusterName, endpoints: [{ locality: { zone: content } }] }),
  );
export const listener = (name: string, content = ''): EncodedResource =>
  encoder.encode(create(ListenerSchema, { name, statPrefix: content }));
export const route = (name: string, content = ''): EncodedResource =>
  encoder.encode(create(RouteConfigurationSchema, { name, requestHeadersToRemove: [content] }));

export const makers = {
  [typeUrls.cluster]: cluster,
  [typeUrls.endpoint]: endpoints,
  [typeUrls.listener]: listener,
  [typeUrls.route]: route,
} as const;

export function snapshot(shared: readonly EncodedResource[], own: readonly EncodedResource[] = []): Snapshot {
  return { shared: createLayer(shared), own: createLayer(own) };
}

export const nothing: Snapshot = { shared: emptyLayer, own: emptyLayer };

/** A stream and its client, with a queue in each direction that the test empties when it likes. */
export class Wire {
  readonly client: DeltaClient;
  stream: DeltaStream;
  readonly #hooks: DeltaHooks;
  #snapshot: Snapshot;
  #toServer: Uint8Array[] = [];
  #toClient: Uint8Array[] = [];

  constructor(initial: Snapshot, options: Omit<DeltaClientOptions, 'send'> = {}, hooks: DeltaHooks = {}) {
    this.#snapshot = initial;
    this.#hooks = hooks;
    this.stream = new DeltaStream(initial, hooks);
    this.client = new DeltaClient({ ...options, send: (request) => this.#toServer.push(request) });
  }

  update(next: Snapshot): void {
    this.#snapshot = next;
    this.stream.update(next);
  }

  /** The stream breaks: what is under way is lost. */
  reconnect(): void {
    this.#toServer = [];
    this.#toClient = [];
    this.stream = new DeltaStream(this.#snapshot, this.#hooks);
    this.client.reconnect((request) => this.#toServer.push(request));
  }

  /** One request reaches the server. */
  deliverRequest(): boolean {
    const request = this.#toServer.shift();
    if (request !== undefined) this.stream.receive(decodeDiscoveryRequest(request));
    return request !== undefined;
  }

  /** The server sends what it may; false when that is nothing. */
  serve(): boolean {
    const before = this.#toClient.length;
    for (let pieces = this.stream.next(); pieces !== undefined; pieces = this.stream.next()) {
      this.#toClient.push(Buffer.concat(pieces));
    }
    return this.#toClient.length > before;
  }

  /** One response reaches the client. */
  deliverResponse(): boolean {
    const response = this.#toClient.shift();
    if (response !== undefined) this.client.receive(response);
    return response !== undefined;
  }

  /** Until both sides have nothing more to say. */
  settle(): void {
    for (let step = 0; step < 10_000; step++) {
      this.client.release();
      const moved = [this.deliverRequest(), this.serve(), this.deliverResponse()];
      if (!moved.includes(true)) return;
    }
    throw new Error('client and server never stop talking');
  }

  /** Per response since the last call: its type and names, removed ones with a minus. */
  log(): string[] {
    return this.client.responses.splice(0).map(({ typeUrl, resources, removedResources }) => {
      const names = [
        ...resources.map(({ name }) => name).sort(),
        ...removedResources.map((name) => `-${name}`).sort(),
      ];
      return `${typeUrl.split('.').at(-1)} ${names.join(' ')}`.trimEnd();
    });
  }
}
