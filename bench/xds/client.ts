// A proxy as the control plane sees it: one connection, one delta stream, subscribed to all clusters and to the endpoints of
// the services. It counts what it is sent, and acknowledges it.

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema } from '../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { frame } from '../../src/grpc/framing.ts';
import { adsPath, workloadHeader } from '../../src/xds/agreed-names.ts';
import { typeUrls } from '../../src/xds/resources.ts';
import { H2Client } from '../measure/h2-client.ts';
import { ResponseScanner, type ScannedResponse } from './response-scanner.ts';

export class XdsClient {
  readonly #client: H2Client;
  readonly #stream: number;
  readonly #onReceived: () => void;
  /** Resources received so far, whichever they were. */
  clusters = 0;
  endpoints = 0;

  private constructor(client: H2Client, node: string, onReceived: () => void) {
    this.#client = client;
    this.#onReceived = onReceived;
    const scanner = new ResponseScanner((response) => this.#receive(response));
    this.#stream = client.open({
      onData: (chunk) => scanner.push(chunk),
      onEnd: () => {
        throw new Error(`the stream of ${node} has ended`);
      },
    });
  }

  /** @param onReceived called after each response */
  static async connect(
    port: number,
    workload: string,
    endpointNames: readonly string[],
    onReceived: () => void,
  ): Promise<XdsClient> {
    const client = await H2Client.connect({ host: '127.0.0.1', port }, [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', adsPath],
      [':authority', 'control-plane'],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      [workloadHeader, workload],
    ]);
    const self = new XdsClient(client, workload, onReceived);
    self.#send({ typeUrl: typeUrls.cluster, node: { id: workload, cluster: 'bench' } });
    self.#send({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: [...endpointNames] });
    client.flush();
    return self;
  }

  close(): void {
    this.#client.close();
  }

  #receive({ typeUrl, nonce, resources }: ScannedResponse): void {
    if (typeUrl === typeUrls.cluster) this.clusters += resources;
    else this.endpoints += resources;
    this.#send({ typeUrl, responseNonce: nonce });
    this.#onReceived();
  }

  #send(request: Omit<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, '$typeName'>): void {
    const message = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request));
    this.#client.send(this.#stream, frame(message), false);
  }
}
